package main

import (
	"context"
	"slices"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
)

// texts reads a list of the metadata; nil when it is absent or no list of texts.
func (x *examination) texts(name string) []string {
	values, _ := x.document.Texts(name)
	return values
}

// flag reads a flag of the metadata; false when it is absent or no flag.
func (x *examination) flag(name string) bool {
	set, _ := x.document.Flag(name)
	return set
}

// signingAlgs are those that Config.SigningAlg may name, the usual one first.
var signingAlgs = []string{"RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"}

// keys fetches the key set and finds the algorithms that it serves.
func (x *examination) keys(ctx context.Context) {
	document, err := outbound.GetJSON(ctx, x.client, x.metadata.JWKSURI)
	if err != nil {
		x.add(trouble, "keys", "%s", explainFetch(err))
		return
	}
	keys, faults, err := jwt.ParseKeySet(document)
	if err != nil {
		x.add(trouble, "keys", "%v", err)
		return
	}
	if len(faults) > 0 {
		x.add(note, "keys", "%d can't be used and are skipped: %s", len(faults), list(faults))
	}
	listed := x.texts("id_token_signing_alg_values_supported")
	for _, alg := range signingAlgs {
		served := slices.ContainsFunc(keys, func(k jwt.Key) bool { return k.Fits(alg, "") })
		if served && (listed == nil || slices.Contains(listed, alg)) {
			x.algs = append(x.algs, alg)
		}
	}
	switch {
	case len(x.algs) == 0:
		x.add(trouble, "keys", "no published key (%d in all) fits an algorithm that may sign ID tokens; the provider lists %s; HS256 and none are never accepted", len(keys), orNothing(listed))
	case x.algs[0] != "RS256":
		x.add(note, "keys", "%d usable; ID tokens can be signed with %s, not with RS256, the usual one: set SigningAlg", len(keys), list(x.algs))
	case len(x.algs) > 1:
		x.add(note, "keys", "%d usable; ID tokens can be signed with %s; the client's registration (id_token_signed_response_alg) decides which, and SigningAlg is the one that is accepted (RS256 unless set)", len(keys), list(x.algs))
	default:
		x.add(well, "keys", "%d usable; ID tokens can be signed with %s", len(keys), list(x.algs))
	}
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return list(names)
}

// protocol judges the flow, its protections, and how long tokens can live.
func (x *examination) protocol() {
	if types := x.texts("response_types_supported"); types != nil && !slices.Contains(types, "code") {
		x.add(trouble, "code flow", "response_types_supported lists %s but not code, the only safe flow", list(types))
	} else {
		x.add(well, "code flow", "supported")
	}
	x.pkce()
	if modes := x.metadata.ResponseModes; !slices.Contains(modes, "query") {
		x.add(note, "response modes", "%s: query, the usual one, is missing; set ResponseMode", list(modes))
	} else {
		x.add(well, "response modes", "%s", list(modes))
	}
	x.par()
	if x.metadata.IssParameterSupported {
		x.add(well, "mix-up", "responses name their issuer (RFC 9207)")
	} else {
		x.add(note, "mix-up", "responses don't name their issuer (RFC 9207): with several providers, give each its own callback")
	}
	x.refreshTokens()
	if x.metadata.UserinfoEndpoint == "" {
		x.add(note, "userinfo", "no endpoint: name, email and roles must be in the ID token")
	} else {
		x.add(well, "userinfo", "asked at each login, unless UserInfo is off")
	}
	if len(x.metadata.DPoPSigningAlgs) > 0 {
		verdict, text := well, "supported: Advanced.DPoP binds tokens to a key"
		if !slices.Contains(x.metadata.DPoPSigningAlgs, "ES256") {
			verdict, text = note, "supported, but not with ES256, the one algorithm of Advanced.DPoP"
		}
		x.add(verdict, "DPoP", "%s", text)
	}
}

// pkce judges code_challenge_methods_supported (RFC 8414 §2).
func (x *examination) pkce() {
	switch methods := x.texts("code_challenge_methods_supported"); {
	case slices.Contains(methods, "S256"):
		x.add(well, "PKCE", "S256 supported")
	case methods == nil:
		x.add(note, "PKCE", "not mentioned: S256 is sent anyway, and most providers that don't mention it do check it")
	default:
		x.add(note, "PKCE", "%s listed, but not S256: it is sent anyway; if logins are refused, the provider must enable it", list(methods))
	}
}

// par judges pushed authorization requests (RFC 9126 §5).
func (x *examination) par() {
	switch published := x.metadata.PushedAuthorizationRequestEndpoint != ""; {
	case x.metadata.RequirePAR && !published:
		x.add(trouble, "PAR", "required by the provider, which publishes no endpoint for it")
	case x.metadata.RequirePAR:
		x.add(well, "PAR", "required by the provider: requests are pushed")
	case published:
		x.add(well, "PAR", "supported: used where a request has to be hidden, always with PAR: oidcauth.PAROn")
	default:
		x.add(well, "PAR", "not supported, and not needed: PAR must stay PARAuto or PAROff")
	}
}

// refreshTokens judges whether sessions can outlive an access token (Core §11).
func (x *examination) refreshTokens() {
	grants := x.texts("grant_types_supported")
	scopes := x.metadata.ScopesSupported
	switch {
	case grants != nil && !slices.Contains(grants, "refresh_token"):
		x.add(note, "refresh tokens", "the grant isn't listed: access tokens can't be refreshed, and users must sign in again when theirs expires")
	case !slices.Contains(scopes, "offline_access"):
		x.add(note, "refresh tokens", "no scope offline_access is listed: the provider gives refresh tokens without it, by a parameter of its own (access_type=offline at Google), or not at all")
	case isKeycloak(x.metadata.Issuer):
		x.add(well, "refresh tokens", "given without the scope offline_access, which asks for some that outlive the user's logout there")
	default:
		x.add(well, "refresh tokens", "for the scope offline_access, which Scopes has to name")
	}
}

// clientAuth says which ways to authenticate are open.
func (x *examination) clientAuth() {
	methods := x.metadata.TokenEndpointAuthMethods
	ours := x.authMethods()
	switch {
	case methods == nil:
		x.add(note, "client", "no authentication methods are listed, which means client_secret_basic")
	case len(ours) == 0:
		x.add(trouble, "client", "the provider lists %s, none of which the library supports", list(methods))
	default:
		x.add(well, "client", "may authenticate with %s", list(ours))
	}
}

// authMethods are the listed client authentication methods that the library has, the best first.
func (x *examination) authMethods() (ours []string) {
	for _, method := range []string{"private_key_jwt", "tls_client_auth", "client_secret_basic", "client_secret_post", "none"} {
		if listed := x.metadata.TokenEndpointAuthMethods; len(listed) > 0 && !x.metadata.LacksAuthMethod(method) {
			ours = append(ours, method)
		}
	}
	return ours
}

// logout says how sessions end at both sides.
func (x *examination) logout() {
	if x.metadata.EndSessionEndpoint == "" {
		x.add(note, "sign-out", "no end_session_endpoint: signing out ends the session here but not at the provider")
	} else {
		x.add(well, "sign-out", "ends the provider's session too")
	}
	switch {
	case x.flag("backchannel_logout_supported") && x.flag("backchannel_logout_session_supported"):
		x.add(well, "back channel", "a logout elsewhere can end sessions here, each by its sid")
	case x.flag("backchannel_logout_supported"):
		x.add(well, "back channel", "a logout elsewhere can end sessions here, all of a user at once")
	default:
		x.add(note, "back channel", "no back-channel logout: RevalidateAfter bounds how long a session outlives the provider's")
	}
	if x.flag("frontchannel_logout_supported") {
		x.add(note, "front channel", "supported, but browsers that partition storage break it; prefer the back channel")
	}
	if x.metadata.RevocationEndpoint == "" {
		x.add(note, "revocation", "no endpoint: tokens stay valid after a logout until they expire")
	} else {
		x.add(well, "revocation", "refresh tokens end with the session")
	}
}
