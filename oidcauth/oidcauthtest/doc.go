// Package oidcauthtest tests applications that sign users in with OpenID Connect. It has the two
// parties that a test lacks: a provider that answers as the test wishes, and a browser that is as
// strict as real ones are.
//
// It knows nothing of package oidcauth: whatever is an [http.Handler] can be tested with it, in the
// standard library's terms.
//
// # A sign-in
//
// [SignIn] walks through a whole one in memory and returns the browser that is then signed in:
//
//	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
//	app := newApp(p.Issuer(), p.Client()) // yours; it calls the provider through this client
//	browser, page, err := oidcauthtest.SignIn(p, app, "/profile")
//
// By default the provider is [DefaultIssuer], knows the client "app" with the secret "app-secret"
// at [DefaultApp], and Alice sits before every browser. [Settings] and [Provider.Register] change
// that.
//
// # The provider
//
// A [Provider] is correct and strict: it demands PKCE with S256, compares redirect URIs exactly,
// takes codes, pushed requests, assertions and DPoP proofs once, rotates refresh tokens and revokes
// the whole family when one is used twice. Its endpoints are those of [Endpoint].
//
// Each of its answers can be bent, in one of three places:
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
// A second one may be a claims provider, whose word is passed on in the first one's tokens
// ([Token.AddSource]).
//
// What it received is in [Provider.Requests].
//
// In memory there are no sockets, so that time in a testing/synctest bubble moves on while a
// request waits. [Start] serves on a loopback socket, for applications that run as processes of
// their own.
//
// # The network
//
// A [Network] maps origins to handlers. Hosts that it does not know do not exist, and
// [Network.Asked] tells who was called: a test sees that nobody fetched a key from an attacker.
// Each provider has one, [Provider.Network].
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
//   - binds sessions to a key and renews their cookies with it, as Chromium does,
//     where a test asks for it ([Browser.DeviceAlg]): what has to be renewed waits,
//     what another site began does not, five renewals in five minutes are signed,
//     and what can't be renewed is said in Secure-Session-Skipped;
//   - stops where a test wants to meddle ([Tab.PauseAt]);
//   - remembers every request and why it refused a cookie ([Browser.History]).
//
// It runs no scripts, knows no public suffix list, does not split cookies by top-level site, and
// sends no CORS preflights.
package oidcauthtest
