// Package oidcauthtest tests applications that sign users in with OpenID Connect. It provides the
// two parties that a test lacks: a provider that responds as the test wants, and a browser that is
// as strict as real ones.
//
// It knows nothing about package oidcauth: it can test any [http.Handler], in the standard
// library's terms.
//
// # A sign-in
//
// [SignIn] goes through a complete sign-in in memory and returns the signed-in browser:
//
//	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
//	app := newApp(p.Issuer(), p.Client()) // yours; it calls the provider through this client
//	browser, page, err := oidcauthtest.SignIn(p, app, "/profile")
//
// By default the provider is [DefaultIssuer], its only client is "app" with the secret "app-secret"
// at [DefaultApp], and Alice sits at every browser. [Settings] and [Provider.Register] change that.
//
// # The provider
//
// A [Provider] is correct and strict: it requires PKCE with S256, compares redirect URIs exactly,
// accepts codes, pushed requests, assertions and DPoP proofs once, rotates refresh tokens, and
// revokes the whole family if one is used twice. [Endpoint] lists its endpoints.
//
// Each of its responses can be altered, in one of three places:
//
//   - Bend methods get the contents before they are sent: metadata
//     ([Provider.BendMetadata]), keys ([Provider.BendKeys]), the decision on an
//     authorization request and the response to it ([Provider.BendAuthorization],
//     [Provider.BendAuthorizationResponse]), the token answer
//     ([Provider.BendTokens]), and each [Token] with its header, claims, key
//     and signature ([Provider.BendIDToken] and its like).
//   - [Provider.Intercept] puts handlers before an endpoint: [Reply], [Drop],
//     [Hang], [Endless], [Rewrite], [Times] and more, or a function of your own.
//   - [Provider.Configure] changes the settings while it runs.
//
// A second one can act as a claims provider, whose claims the first one includes in its tokens
// ([Token.AddSource]).
//
// What it received is in [Provider.Requests].
//
// In memory there are no sockets, so time in a testing/synctest bubble advances while a request
// waits. [Start] serves on a loopback socket, for applications that run as separate processes.
//
// # The network
//
// A [Network] maps origins to handlers. Hosts that it doesn't know don't exist, and [Network.Asked]
// says which were called: a test can see that no key was fetched from an attacker. Each provider
// has one, [Provider.Network].
//
// # The browser
//
// A [Browser] is not an http.Client with a jar. It
//
//   - keeps and sends cookies by RFC 6265bis: SameSite with sites by scheme and
//     registrable domain, __Host- and __Secure-, Secure cookies on loopback,
//     4096 bytes a cookie and 180 cookies a domain, and Chromium's two minutes
//     for a cookie without SameSite;
//   - sends Sec-Fetch-*, Sec-Purpose, Origin and Referer as the page and its
//     Referrer-Policy have it, and so Origin: null where browsers do;
//   - submits the page of response_mode=form_post by itself;
//   - obeys frame-ancestors, X-Frame-Options, form-action and Clear-Site-Data;
//   - tells a navigation ([Tab.Get], [Tab.Click], [Tab.Post], [Tab.Submit])
//     from a script's fetch ([Tab.Fetch]), a frame, an image, a prefetch;
//   - opens tabs that share its cookies, goes back and reloads;
//   - binds sessions to a key and renews their cookies with it, as Chromium does, if a test asks
//     for it ([Browser.DeviceAlg]): requests wait for a renewal unless another site started them,
//     at most five renewals in five minutes are signed, and Secure-Session-Skipped reports those
//     that failed;
//   - stops where a test wants to interfere ([Tab.PauseAt]);
//   - remembers every request and why it refused a cookie ([Browser.History]).
//
// It runs no scripts, has no public suffix list, doesn't partition cookies by top-level site, and
// sends no CORS preflights.
package oidcauthtest
