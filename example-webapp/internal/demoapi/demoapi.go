// Package demoapi is the API that the example calls with its users' access tokens when no other is
// configured.
//
// It promises to verify tokens as a resource server does (RFC 6750, RFC 9068, RFC 9449): a JWT by
// the provider's keys, anything else by introspection. It shares nothing with the client that calls
// it, not even a cache, and has no opinion on what a user may do. Start at API.ServeHTTP. An
// application of yours calls a program of somebody else's in its place.
package demoapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/signet-go/signet/example-webapp/internal/replay"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
)

// accessTokenAlgs are the signature algorithms that access tokens and DPoP proofs may have:
// asymmetric ones only.
//
// go-jose parses no token of any other, so that none of them can be smuggled in by a header.
var accessTokenAlgs = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

var (
	errInvalidToken = errors.New("the access token is not valid here")
	errNoKey        = errors.New("no key of the provider verifies this token")
	// errNeedsAPIURL: the token is good for some API, but nobody here can check it.
	errNeedsAPIURL = errors.New("this access token can't be checked here")
)

// An API stands in for the API that an application calls with its users' tokens: it verifies them
// as a resource server does (RFC 6750, RFC 9068), and answers what it read. Safe for concurrent
// use.
//
// A real API is another program, and would take a library for this. Here it stands in the same
// process so that /api/call has somebody to call when nothing is configured, and it is strict so
// that what it accepts is worth something as a test.
type API struct {
	url      string // its own address: the htu of DPoP proofs
	audience string // what tokens must be meant for; empty: unknown, not checked
	issuer   string
	// Its own fetcher: a resource server shares nothing with the client, not even a cache.
	keys   *providerKeys
	intro  *introspector
	proofs *replay.Guard
	log    *slog.Logger

	unchecked sync.Once // that tokens can't be checked here is a matter of the configuration, and said once
}

// New makes the API at address for the tokens of client's issuer. client is complete: the issuer of
// the embedded provider included. It does no I/O.
//
// With an audience, tokens must be JWTs that are meant for it, as the embedded provider makes them;
// without one, others are asked about at the provider, in client's name.
func New(address, audience string, client *oidcauth.Config, log *slog.Logger) *API {
	calls := &http.Client{Timeout: client.Timeout, CheckRedirect: refuseRedirect}
	d := &API{
		url: address, audience: audience, issuer: client.Issuer,
		keys:   &providerKeys{issuer: client.Issuer, client: calls},
		proofs: replay.NewGuard(2 * dpopProofAge), log: log,
	}
	if audience == "" {
		d.intro = &introspector{config: client, client: calls, keys: d.keys, places: make(chan struct{}, maxIntrospections)}
	}
	return d
}

// refuseRedirect keeps introspection credentials and tokens at the address that the metadata named.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// tokenClaims are the members of an access token, or of an introspection answer, that the demo API
// looks at.
//
// It reads no more than it needs: what else a token says is between the provider and others.
type tokenClaims struct {
	jwt.Claims
	ClientID     string    `json:"client_id"`
	Scope        scopeText `json:"scope"`
	Confirmation struct {
		JWKThumbprint  string `json:"jkt"`      // RFC 9449 §6.1
		CertThumbprint string `json:"x5t#S256"` // RFC 8705 §3.1
	} `json:"cnf"`
	// What only ID tokens (OpenID Connect Core §2) and logout tokens (Back-Channel Logout §2.4)
	// have.
	Nonce  json.RawMessage `json:"nonce"`
	Events json.RawMessage `json:"events"`
	// Core §3.1.3.6, in ID tokens too, and the kind as Keycloak writes it.
	TokenHash string `json:"at_hash"`
	Kind      string `json:"typ"`
}

// A scopeText is a scope claim: one text (RFC 9068 §2.2.3), or the list of its words that some
// providers write.
type scopeText string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopeText) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*s = scopeText(strings.Join(list, " "))
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}

// token68 is the form of a token in a header (RFC 9110 §11.2).
var token68 = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// ServeHTTP answers requests with a good token, and challenges others (RFC 6750 §3).
//
// What exactly is wrong with a token is said in the log, not in the answer: only the issuer could
// do something with it.
func (d *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case token == "":
		d.challenge(w, http.StatusUnauthorized, "Bearer", "")
		return
	case len(r.Header.Values("Authorization")) > 1 || !token68.MatchString(token):
		d.challenge(w, http.StatusBadRequest, "Bearer", "invalid_request")
		return
	}
	claims, err := d.verify(r.Context(), token)
	if err == nil {
		err = d.checkBinding(r, scheme, token, claims)
	}
	switch {
	case err == nil:
		reply.JSON(w, http.StatusOK, answerOf(claims))
	case errors.Is(err, errNeedsAPIURL):
		d.unchecked.Do(func() { d.log.WarnContext(r.Context(), "demo API can't check this token", "cause", err) })
		reply.JSON(w, http.StatusNotImplemented, map[string]string{
			"error": "api_url_needed", "error_description": "The demo API can't check this provider's access tokens: set API_URL to an API that can.",
		})
	case errors.Is(err, errProof):
		d.log.InfoContext(r.Context(), "demo API refused a DPoP proof", "cause", err)
		d.challenge(w, http.StatusUnauthorized, "DPoP", "invalid_dpop_proof")
	case errors.Is(err, errInvalidToken):
		d.log.InfoContext(r.Context(), "demo API refused a token", "cause", err)
		d.challenge(w, http.StatusUnauthorized, "Bearer", "invalid_token")
	case errors.Is(err, errBusy):
		d.log.WarnContext(r.Context(), "demo API is busy", "cause", err)
		w.Header().Set("Retry-After", "1")
		reply.JSON(w, http.StatusServiceUnavailable, map[string]string{"error": "busy"})
	default:
		d.log.WarnContext(r.Context(), "demo API can't reach the provider", "cause", err)
		reply.JSON(w, http.StatusServiceUnavailable, map[string]string{"error": "provider_unavailable"})
	}
}

// challenge names no error when no token was sent: RFC 6750 §3.1 keeps the code for requests that
// tried.
func (d *API) challenge(w http.ResponseWriter, status int, scheme, code string) {
	header, answer := scheme+` realm="demo"`, map[string]string{"error": "unauthorized"}
	if code != "" {
		header += `, error="` + code + `"`
		answer["error"] = code
	}
	w.Header().Set("WWW-Authenticate", header)
	reply.JSON(w, status, answer)
}

// answerOf is what the demo API has to tell.
func answerOf(c *tokenClaims) map[string]any {
	answer := map[string]any{
		"message": "Hello from the demo API.", "sub": c.Subject, "client_id": c.ClientID, "scope": c.Scope,
		"sender_constrained": c.Confirmation.JWKThumbprint != "",
	}
	if c.Expiry != nil {
		answer["expires_at"] = c.Expiry.Time().UTC().Format(time.RFC3339)
	}
	return answer
}

// verify checks a token by the provider's keys or, where it is not a JWT of theirs, by
// introspection.
//
// In this order, since a JWT needs no call of anybody, while an opaque token needs one each time.
func (d *API) verify(ctx context.Context, token string) (*tokenClaims, error) {
	claims, err := d.verifyJWT(ctx, token)
	if !errors.Is(err, errNoKey) {
		return claims, err
	}
	if d.intro == nil {
		return nil, errors.Join(errInvalidToken, err)
	}
	return d.intro.ask(ctx, token)
}

// verifyJWT checks signature, type, issuer, audience and times of a JWT access token (RFC 9068 §4).
//
// errNoKey means that somebody else may know the token: an opaque one, or one of a format that this
// API does not read.
func (d *API) verifyJWT(ctx context.Context, token string) (*tokenClaims, error) {
	parsed, err := jwt.ParseSigned(token, accessTokenAlgs)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, errNoKey // opaque, encrypted, or of an algorithm that nobody can check
	}
	keys, err := d.keys.matching(ctx, parsed.Headers[0])
	if err != nil {
		return nil, err
	}
	claims := new(tokenClaims)
	if !slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return parsed.Claims(k.Key, claims) == nil }) {
		return nil, errNoKey
	}
	if err := cmp.Or(d.checkType(parsed.Headers[0], claims), d.checkClaims(claims)); err != nil {
		return nil, errors.Join(errInvalidToken, err)
	}
	return claims, nil
}

// checkType refuses tokens of another kind: an ID token or a logout token is no access token,
// though the same keys signed it (RFC 8725 §3.12). At the embedded provider typ tells them apart;
// others may omit it, but give only ID tokens a nonce, or say what kind it is in the payload, as
// Keycloak does, whose older releases write the nonce into access tokens, too.
func (d *API) checkType(header jose.Header, c *tokenClaims) error {
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	kind := strings.TrimPrefix(strings.ToLower(typ), "application/")
	switch {
	case kind == "at+jwt":
		return nil
	case d.audience != "" || strings.Contains(kind, "+jwt"):
		return errors.New("want typ at+jwt")
	case !slices.Contains([]string{"", "Bearer", "DPoP"}, c.Kind):
		return errors.New("typ is of another kind of token")
	case c.Events != nil, c.TokenHash != "", c.Nonce != nil && c.Kind == "":
		return errors.New("want an access token, got an ID token or a logout token")
	}
	return nil
}

// checkClaims refuses tokens of others, for others, or out of their time.
func (d *API) checkClaims(c *tokenClaims) error {
	expected := jwt.Expected{Issuer: d.issuer, Time: time.Now()}
	// Only the embedded provider's tokens are known to be made for this API (RFC 9068 §4).
	if d.audience != "" {
		expected.AnyAudience = jwt.Audience{d.audience}
	}
	if c.Expiry == nil {
		return errors.New("want exp")
	}
	return c.ValidateWithLeeway(expected, 0)
}
