// Package session keeps sessions of web users, in one sealed cookie or in a Store.
//
//	manager, err := session.New(session.Config{Keys: strings.Fields(os.Getenv("SESSION_KEYS"))})
//	…
//	http.ListenAndServe(addr, manager.Handler(mux))
//
// and then, in any handler:
//
//	const cart session.Field[Cart] = "cart"
//
//	c, _ := cart.Get(r.Context())
//	err := cart.Set(r.Context(), c.With(item))
//
// What is set is saved before the first byte of the response. A request that changes nothing writes
// nothing, and a request without our cookie never reaches a Store.
//
// # Where a session is
//
// By default the cookie is the session: encrypted and authenticated, with its limits inside, and
// small. Three tokens of a common provider fit one cookie. With [Config].ServerSide the cookie
// holds 256 random bits and the session is a row of Config.Store, under a hash of them. Both modes
// keep every rule below; they differ in what they cost. A cookie travels with each request; a row
// costs a read of the Store for each request.
//
// [Config].Store is where processes meet. In cookie mode it carries no sessions, only what a cookie
// can't say about itself:
//
//	                       one process, no Store     with a Store
//	older cookie           newest content            the same, in all processes
//	ended session          dead while remembered     dead, in all processes
//	Revoke                 an error                  in O(1)
//	Exclusive, refresh     within the process        between processes
//	Done                   within the process        within 5 s elsewhere
//	Store out of reach     –                         503, cookie kept
//
// [NewMemoryStore] is a [Store] for one process; packages redisstore and sqlstore are for many. A
// Store of your own passes package sessiontest.
//
// # Generations
//
// Every change makes a new generation of the session: the newest one that is known, with what this
// request changed on top, published by compare-and-swap. So requests that change different names at
// once all succeed, in both modes. An older cookie is never honored as it is: its request is given
// the newest generation, and its response the newest cookie. A late response can neither roll a
// session back nor bring an ended one back.
//
// In cookie mode a newer generation is kept until the browser has shown that it has it, or no older
// cookie of the session is within its limits any more: a response may be lost, or begin too early
// to carry a cookie. It waits in the Store, or without one in this process (up to 24 MiB of them;
// that more were forgotten is logged). What is kept makes no cookie live longer than it says
// itself. Without a Store two processes know nothing of each other: route each browser to one of
// them, or set a Store. A response that took longer than a minute, after which a process alone may
// have forgotten what the browser has got elsewhere, does not move the idle limit of its cookie.
//
// # Ending
//
// [Session.Destroy] ends this session, [Manager.DestroyID] one whose ID you know, and
// [Manager.Revoke] all that carry a tag (a user, say). Ended means: no copy of the cookie is
// honored any more, wherever it was taken. Marks and ends live as long as what they can end, and a
// day longer, for clocks that are set back. No two clocks are compared: Revoke counts epochs, and
// [Manager.RevokeAt] compares two times of one foreign clock. With [DemandFreshLogin] no session of
// the tag begins either, unless its user has authenticated since; [Except] leaves one session
// alone.
//
// Users see where they are signed in, and end one session or all others, with [Session.Enlist],
// [Manager.List], [Manager.End] and [Manager.EndOthers].
//
// A login that may still be refused works on a session to come, beside the browser's:
// [Session.Prepare] makes it, and [Session.Replace] puts it in the other's place.
//
// A dead cookie is not expired by a request that may have been sent before its end, or within a
// minute of it, nor where nobody knows when that was: the response could take away the cookie of
// the next login. It is dead all the same. What can't be read, is past the limits that are sealed
// in it, or was ended by the request itself is expired.
//
// A session also ends at its absolute limit, which nothing moves, and when nobody used it for
// [Config].IdleTimeout. Both limits are sealed inside.
//
// # Devices
//
// With [Config].DeviceBound the session of a login is bound to a key that never leaves the device of
// the browser that has signed in, where that can (Device Bound Session Credentials). Package
// oidcauth has the routes for it. From then on a request is served only with a second cookie beside
// the session's, "-bound" behind its name, which the browser renews each BoundLife by signing with
// the key. Without it [Session.Load] says [ErrDeviceProof], and nobody is there: no field, no token.
// Nothing has ended then, and Set begins no other session.
//
// A session that is bound goes on under a new [Session.ID], so that a copy of its cookie from before
// is worth no more than a minute. Until then the old cookie leads to it. Without a Store, a process
// that was restarted has forgotten that. Streams are judged when they begin.
//
// # Failing
//
// A Store that can't be reached is not a logout. [Session.Load] then returns [ErrUnavailable],
// nothing is written and no cookie is cleared; answer with [WriteUnavailable]. A cookie that is
// forged, cut, mixed from two generations or expired means signed out, within microseconds, and is
// expired. One that is sealed by a key that this process does not know is left alone: another
// replica may know it.
//
// # Log lines
//
// [Config].Logger gets these messages. Their attributes are IDs, sizes and causes: never a key, a
// cookie, a value or a token.
//
//	store unavailable                                            error: a session could not be read
//	request ended early                                          debug, warn for its own deadline: the session was not read
//	session not saved                                            error: 503 or 500 took the place of the response
//	session changed and not stored                               error: after Exclusive, this process alone knows
//	session changed after the response began, and not saved      error: what a handler changed late is lost
//	session changed after the response began: …                  warn: saved; this response can't set the cookie
//	session saved after the response began: …                    warn: the same, by Save
//	session ended after the response began: …                    warn: the browser keeps a dead cookie
//	newer session found after the response began: …              warn: Sync came too late for the cookie
//	session cookie not renewed                                   warn: the idle limit was not moved; the old cookie serves
//	session cookies are large                                    warn: more than 8 KiB
//	session lease not returned                                   warn: the next Exclusive waits up to 15 s
//	session memory full: late responses may roll back sessions   warn: once; more than 24 MiB wait for their browsers
//	memory of ended sessions full: …                             warn: once; see below
//	list of sessions not updated                                 warn: it shows LastSeen too early, or lacks a session
//	streams not checked                                          warn: Done could not ask the Store
//	unreadable session deleted from store                        warn: a row that no key opens
//	unreadable revocation mark replaced                          warn: the same; it has ended all sessions before
//	bound cookies end too soon                                   warn: Config.BoundLife is below 2 min
//	no device will be bound by this login                        warn: the Store could not be told of the session
//	no challenge for a device                                    error: the system has no randomness
//
// # What is not promised
//
//   - Without a Store, a cookie that somebody copied before a logout works
//     again after this process was restarted, until its limits; also when more
//     than some 200,000 ended sessions were to be remembered, which is logged.
//   - Two requests that change the same name at once: the later one wins.
//   - Whoever holds [Config].Keys can make sessions. Whoever can write to the
//     Store can delete sessions and marks, but not read or make sessions.
//   - The cookie's length, in steps of 16 bytes, is not a secret.
//   - CSRF: SameSite=Lax is a net, not a fence. Use http.CrossOriginProtection.
package session
