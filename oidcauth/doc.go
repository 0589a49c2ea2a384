// Package oidcauth signs users of a web application in with OpenID Connect, on plain net/http.
//
// An [Authenticator] is made from one [Config] value. It serves a few routes of its own (login,
// callback, logout), wraps handlers that need a signed-in user, and gives them the user and fresh
// access tokens:
//
//	auth, err := oidcauth.New(oidcauth.Config{…})
//	mux.Handle("/auth/", auth)
//	mux.Handle("GET /me", auth.RequireLogin(me))
//
//	user := oidcauth.UserFrom(r.Context())
//	resp, err := auth.Client(r.Context()).Get(apiURL)
//
// # How a login goes
//
// A guard meets a browser without a signed-in user. It seals state, nonce and PKCE verifier into a
// cookie for this one login, and redirects to the provider's authorization endpoint. The provider sends the browser back to the callback, which checks the state against the
// cookie, the iss parameter, redeems the code, verifies the ID token, fetches userinfo, asks
// [Hooks].Login, begins a new session, and redirects to the page that was asked for. Several tabs
// may be at it at once.
//
// Only a browser that opens a page is redirected. Everything else (fetch, form posts, images,
// frames, prefetch) is answered 401 with a JSON body that names the login URL: a redirect to
// another site would help none of them.
//
// # What is checked
//
// The authorization code flow with PKCE S256, state and nonce is the only flow (RFC 9700 §2.1). Of
// the response: its method, each parameter at most once and from one source, the transaction of
// this very browser, and iss (RFC 9207). Of the ID token: one signature by a key of the provider
// with exactly the configured algorithm, iss, aud, azp, exp, nbf, iat, sub, nonce, at_hash,
// auth_time and acr where they were asked for (Core §3.1.3.7), no claim twice, not a logout token,
// not an access token. Of userinfo: sub, and, when signed, its signature, iss and aud (Core
// §5.3.2). Of metadata: the exact issuer, and endpoints over https. Return paths stay on this site,
// byte for byte. All that is read from outside is bounded in size, count and time.
//
// [Advanced] has the high-security features: tokens that are bound to a key of the session (DPoP), encrypted
// tokens, signed requests and responses, claims of other parties than the provider, each verified,
// and the FAPI 2.0 Security Profile as one switch, which refuses whatever it forbids.
//
// # What is not checked
//
// Access tokens of users are passed on, never looked into: they are for the API. (One's own API
// looks into those of its callers: [NewResource].) Claims of the user are the provider's word; an
// email address is not an identity, only Issuer and Subject together are. A session lives until its
// limits, its logout or its revocation: a user disabled at the provider is noticed when tokens are
// refreshed, which Config.RevalidateAfter has guards do now and then, or by back-channel logout. In
// cookie mode without a Store, a copy of a cookie outlives its logout. Your own forms need
// [net/http.CrossOriginProtection].
//
// # Failures
//
// An outage is not a logout. While the provider is down, sessions go on and logins answer 503;
// while a Store is down, protected routes answer 503 and no cookie is cleared. Browsers are told
// constant texts with a reference; the log has the same reference and the cause.
//
// # Log events
//
// The messages are constants. The main ones are "login", "login refused", "logout", "session
// revoked", "token refreshed", "token refresh failed", "denied", "request refused", "claim source
// refused", "provider unavailable", "store unavailable"; docs/operations.md has all, with what to
// do. Facts are attributes: issuer, sub and sid as fingerprints, reason, reference, duration.
// Secrets, codes, tokens and cookies are in none of them at any level.
//
// # Tests
//
// [WithUser] makes handlers testable with no provider. Package oidcauthtest has a provider whose
// every answer can be bent, and a browser.
package oidcauth
