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
// Values that you set are saved before the first byte of the response. A request that changes
// nothing writes nothing, and a request without a session cookie never reaches a Store.
//
// # Where a session is kept
//
// By default the cookie is the session: encrypted and authenticated, with its limits inside, and
// small. Three of a common provider's tokens fit into one cookie. With [Config].ServerSide the
// cookie holds 256 random bits, and the session is a row in Config.Store under a hash of them. All
// rules below apply to both modes; they differ in what they cost. A cookie travels with each
// request; a row costs a read of the Store for each request.
//
// Processes coordinate through [Config].Store. In cookie mode it contains no sessions, only what a
// cookie can't say about itself:
//
//	                       one process, no Store     with a Store
//	older cookie           newest content            the same, in all processes
//	ended session          dead while remembered     dead, in all processes
//	Revoke                 an error                  in O(1)
//	Exclusive, refresh     within the process        between processes
//	Done                   within the process        within 5 s elsewhere
//	Store out of reach     –                         503, cookie kept
//
// [NewMemoryStore] is a [Store] for one process; packages redisstore and sqlstore are for many. If
// you write your own Store, test it with package sessiontest.
//
// # Generations
//
// Every change makes a new generation of the session: the newest known one with this request's
// changes on top, published by compare-and-swap. So concurrent requests that change different names
// all succeed, in both modes. An older cookie is never taken at face value: its request gets the
// newest generation, and its response the newest cookie. A late response can neither roll a session
// back nor revive one that has ended.
//
// In cookie mode a newer generation is kept until the browser has shown that it has it, or until
// every older cookie of the session has expired: a response may be lost, or begin too early to
// carry a cookie. It is kept in the Store, or without one in this process (up to 24 MiB; if more
// had to be forgotten, that is logged). Keeping it never extends a cookie beyond its own limits.
// Without a Store, two processes know nothing about each other: route each browser to one of them,
// or set a Store. A response that took longer than a minute doesn't move the idle limit of its
// cookie, because a process without a Store may by then have forgotten what the browser received
// elsewhere.
//
// # Ending
//
// [Session.Destroy] ends this session, [Manager.DestroyID] one whose ID you know, and
// [Manager.Revoke] all that carry a tag (a user, say). Once a session has ended, no copy of its
// cookie is honored anymore, wherever it was taken. The marks that record this live as long as the
// sessions could have, and a day longer in case clocks are set back. Different clocks are never
// compared: Revoke counts epochs, and [Manager.RevokeAt] compares two times from one foreign clock.
// With [DemandFreshLogin], no session with the tag begins either, unless its user has authenticated
// since; [Except] leaves one session alone.
//
// With [Session.Enlist], [Manager.List], [Manager.End] and [Manager.EndOthers], users can see where
// they are signed in, and end one session or all others.
//
// A login that may still be refused works on a pending session, separate from the browser's:
// [Session.Prepare] makes it, and [Session.Replace] puts it in the other's place.
//
// The cookie of an ended session is not expired by a request that may have been sent before the end
// or within a minute of it, nor if the time of the end is unknown: the response could remove the
// cookie of the next login. It is dead anyway. A cookie that can't be read, is past its sealed
// limits, or whose session was ended by the request itself is expired.
//
// A session also ends at its absolute limit, which nothing extends, and when it hasn't been used
// for [Config].IdleTimeout. Both limits are sealed inside.
//
// # Devices
//
// With [Config].DeviceBound, a login's session is bound to a key that never leaves the device of
// the browser that signed in, if the browser supports it (Device Bound Session Credentials).
// Package oidcauth has the routes for it. From then on, a request is served only with a second
// cookie, named like the session's with "-bound" appended, which the browser renews every BoundLife
// by signing with the key. Without it, [Session.Load] returns [ErrDeviceProof], and no user, field
// or token is available. The session hasn't ended then, and Set begins no other.
//
// A session continues under a new [Session.ID] once it is bound, so an earlier copy of its cookie
// works for at most another minute. Until then the old cookie leads to the session. Without a
// Store, a process forgets this when it restarts. Streams are checked only when they begin.
//
// # Failing
//
// A Store that can't be reached is not a logout. [Session.Load] then returns [ErrUnavailable],
// nothing is written and no cookie is cleared; answer with [WriteUnavailable]. A cookie that is
// forged, truncated, mixed from two generations or past its limits means signed out, within
// microseconds, and is expired. One sealed with a key that this process doesn't know is left alone:
// another replica may know it.
//
// # Log lines
//
// [Config].Logger gets these messages. Their attributes are IDs, sizes and causes, never a key, a
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
//   - Without a Store, a cookie that was copied before a logout works again, until its limits, once
//     this process has restarted, or once it has had to remember more than about 200,000 ended
//     sessions, which is logged.
//   - If two concurrent requests change the same name, the later one wins.
//   - Anyone who has [Config].Keys can forge sessions. Anyone who can write to the Store can delete
//     sessions and marks, but not read or forge sessions.
//   - The cookie's length, in steps of 16 bytes, is not a secret.
//   - CSRF: SameSite=Lax is a safety net, not full protection. Use http.CrossOriginProtection.
package session
