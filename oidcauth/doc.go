// Package oidcauth signs users in to web applications with OpenID Connect, on plain net/http.
//
// An [Authenticator] is created from a single [Config]. It serves a few routes of its own (login,
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
// # How a login works
//
// When a browser without a signed-in user reaches a guard, the guard seals state, nonce and PKCE
// verifier into a cookie for this one login, and redirects to the provider's authorization
// endpoint. The provider sends the browser back to the callback, which checks the state against the
// cookie and the iss parameter, redeems the code, verifies the ID token, fetches userinfo, calls
// [Hooks].Login, begins a new session, and redirects to the requested page. Several tabs may do
// this at once.
//
// Only a browser that is opening a page is redirected. Everything else (fetch, form posts, images,
// frames, prefetch) gets 401, for scripts with a JSON body that names the login URL: a redirect to
// another site would help none of them.
//
// # What is checked
//
// The only flow is the authorization code flow with PKCE S256, state and nonce (RFC 9700 §2.1). In
// the response: its method, that each parameter occurs at most once and comes from one source, that
// the login was started by this very browser, and iss (RFC 9207). In the ID token: one signature by
// one of the provider's keys with exactly the configured algorithm, iss, aud, azp, exp, nbf, iat,
// sub, nonce, at_hash, auth_time and acr if requested (Core §3.1.3.7), that no claim occurs twice,
// and that it is neither a logout token nor an access token. In userinfo: sub and, if signed, its
// signature, iss and aud (Core §5.3.2). In the metadata: the exact issuer, and that endpoints are
// https. Return paths stay on this site, byte for byte. Everything read from outside is bounded in
// size, count and time.
//
// [Advanced] has the high-security features: tokens bound to a key of the session (DPoP), encrypted
// tokens, signed requests and responses, verified claims from parties other than the provider, and
// the FAPI 2.0 Security Profile as one switch, which refuses whatever the profile forbids.
//
// # What is not checked
//
// Users' access tokens are passed on and never parsed: they are for the API. (Your own API verifies
// those of its callers: see [NewResource].) A user's claims are only as good as the provider; an
// email address is not an identity, only Issuer and Subject together are. A session lives until its
// limits, its logout or its revocation: a user disabled at the provider is noticed when tokens are
// refreshed, which Config.RevalidateAfter makes guards do periodically, or by back-channel logout.
// In cookie mode without a Store, a copy of a cookie may outlive the logout. Your own forms need
// [net/http.CrossOriginProtection].
//
// # Failures
//
// An outage is not a logout. While the provider is down, sessions continue and logins answer 503;
// while a Store is down, protected routes answer 503 and no cookie is cleared. Browsers see
// constant texts with a reference; the log has the same reference and the cause.
//
// # Log events
//
// The messages are constants. The main ones are "login", "login refused", "logout", "session
// revoked", "token refreshed", "token refresh failed", "denied", "request refused", "claim source
// refused", "provider unavailable", "store unavailable"; docs/operations.md lists them all, with
// what to do. Details are attributes: issuer, sub and sid as fingerprints, reason, reference,
// duration. Secrets, codes, tokens and cookies are never logged, at any level.
//
// # Tests
//
// [WithUser] lets you test handlers without a provider. Package oidcauthtest has a provider whose
// every response can be altered, and a browser.
package oidcauth
