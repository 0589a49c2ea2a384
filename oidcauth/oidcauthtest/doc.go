// Package oidcauthtest tests applications that sign users in with OpenID
// Connect: it has a provider that answers as a test wishes, and a browser that
// treats cookies as browsers do.
package oidcauthtest
