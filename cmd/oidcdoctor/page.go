package main

import (
	"net/url"
	"strings"
)

// docs is where the pages about providers are.
const docs = "https://github.com/signet-go/signet/blob/main/docs/providers/"

// pageFor is the page of the documentation that is about this provider.
func pageFor(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return docs + "other.md"
	}
	host := strings.ToLower(u.Hostname())
	in := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	switch {
	case in("accounts.google.com"):
		return docs + "google.md"
	case in("login.microsoftonline.com"), in("login.microsoftonline.us"), in("login.partner.microsoftonline.cn"), in("ciamlogin.com"), in("sts.windows.net"):
		return docs + "entra-id.md"
	case in("auth0.com"):
		return docs + "auth0.md"
	case in("okta.com"), in("oktapreview.com"), in("okta-emea.com"):
		return docs + "okta.md"
	case isKeycloak(issuer):
		return docs + "keycloak.md"
	case in("duendesoftware.com"):
		return docs + "duende.md"
	}
	return docs + "other.md"
}

// isKeycloak tells by the issuer's path, which is Keycloak's own.
func isKeycloak(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && strings.Contains(u.Path, "/realms/")
}
