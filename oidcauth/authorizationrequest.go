package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// authorizationURL is where the browser goes: with all parameters, or with a reference to those
// that were pushed (RFC 9126 §4).
func (a *starter) authorizationURL(ctx context.Context, meta *provider.Metadata, params url.Values) (string, error) {
	target, err := url.Parse(meta.AuthorizationEndpoint)
	if err != nil {
		return "", &LoginError{Code: "invalid_metadata", Err: err}
	}
	pushed := a.pushes(meta, params)
	if a.config.Advanced.SignedRequests {
		if params, err = a.endpoint.RequestObject(params, pushed); err != nil {
			return "", err
		}
	}
	if pushed {
		uri, err := a.push(ctx, meta, params)
		if err != nil {
			return "", err
		}
		params = url.Values{"client_id": {a.config.ClientID}, "request_uri": {uri}}
	}
	query := target.Query()
	for name, values := range params {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	return target.String(), nil
}

// canPush reports whether a request would be pushed that has to be.
func (a *starter) canPush(meta *provider.Metadata) bool {
	return a.config.PAR != PAROff && meta.PushedAuthorizationRequestEndpoint != ""
}

// pushes reports whether a request with these parameters is pushed.
func (a *starter) pushes(meta *provider.Metadata, params url.Values) bool {
	switch a.config.PAR {
	case PAROff:
		return false
	case PARRequire:
		return true
	case PAROn:
		return meta.RequirePAR || a.canPush(meta)
	default:
		return meta.RequirePAR || a.canPush(meta) && hasAny(params, confidentialParameters)
	}
}

// confidentialParameters are kept out of URLs, and so out of browser histories and the logs of
// proxies, where that is possible: they say what somebody is about to do, or who they are.
var confidentialParameters = []string{"authorization_details", "claims", "id_token_hint"}

// push pushes the request. A failure fails the login: falling back would let whoever disturbs the
// push read the request.
func (a *starter) push(ctx context.Context, meta *provider.Metadata, params url.Values) (string, error) {
	if meta.PushedAuthorizationRequestEndpoint == "" {
		return "", &LoginError{Code: "par_unavailable", Err: errors.New("requests must be pushed (by Config.PAR, Advanced.FAPI or the provider's metadata), but the metadata has no pushed_authorization_request_endpoint: if the provider doesn't support them, set Config.PAR to PAROff")}
	}
	release, err := a.pushPlaces.Take(ctx, 0)
	if err != nil {
		return "", err
	}
	defer release()
	pushed, err := a.endpoint.Push(ctx, params)
	if err != nil {
		return "", pushFailed(err)
	}
	a.warnOfShortLife(ctx, pushed.Life)
	return pushed.URI, nil
}

// warnOfShortLife tells the operator once that people who take their time at the provider may be
// refused there. Nothing else depends on how long a pushed request lives.
func (a *starter) warnOfShortLife(ctx context.Context, life time.Duration) {
	if life == 0 || life >= a.config.LoginTimeout {
		return
	}
	a.shortLife.Do(func() {
		a.log.LogAttrs(ctx, slog.LevelWarn, "pushed requests end before logins do", slog.String("issuer", a.config.Issuer),
			slog.Duration("life", life), slog.Duration("login_timeout", a.config.LoginTimeout),
			slog.String("hint", "users who take longer than this to sign in fail at the provider: extend the lifetime of pushed requests there to LoginTimeout, or set Config.PAR to PAROff"))
	})
}

// pushFailed adds what to try, unless the provider said what is wrong with the request or the
// client: that would be wrong without the push too.
func pushFailed(err error) error {
	what, refused, ok := oauth.FailureOf(err)
	if ok && (what == oauth.ClientRefused || slices.Contains([]string{"unauthorized_client", "invalid_redirect_uri", "invalid_scope"}, refused.Code)) {
		return &LoginError{Code: refused.ErrorCode(), Description: refused.Description, Err: err}
	}
	return &LoginError{Code: "par_failed", Err: fmt.Errorf("%w (is RedirectURL registered at the provider, byte for byte? To go without pushed requests, set Config.PAR to PAROff)", err)}
}

// authorizationParameters are the parameters of the authentication request (Core §3.1.2.1, RFC 7636
// §4.3, RFC 8707 §2.1).
func (a *starter) authorizationParameters(t *browser.Transaction, o LoginOptions) url.Values {
	p := url.Values{}
	for name, values := range o.Extra {
		p[name] = values
	}
	p.Set("client_id", a.config.ClientID)
	p.Set("response_type", "code")
	p.Set("redirect_uri", a.config.RedirectURL)
	p.Set("scope", strings.Join(a.asked(t.Scopes), " "))
	p.Set("state", t.State)
	p.Set("nonce", t.Nonce)
	p.Set("code_challenge", oauth2.S256ChallengeFromVerifier(t.Verifier))
	p.Set("code_challenge_method", "S256")
	acr := o.ACRValues
	if len(o.essentialACR) > 0 {
		acr = o.essentialACR
	}
	for name, value := range map[string]string{
		"response_mode": string(a.config.ResponseMode), "prompt": o.Prompt, "login_hint": o.LoginHint,
		"ui_locales": strings.Join(o.UILocales, " "), "acr_values": strings.Join(acr, " "),
	} {
		if value != "" {
			p.Set(name, value)
		}
	}
	if t.MaxAge != nil {
		p.Set("max_age", strconv.FormatInt(*t.MaxAge, 10))
	}
	if len(o.Resource) > 0 {
		p["resource"] = o.Resource
	}
	return p
}

// A signedIn is who is signed in in the browser that begins a login; nil for nobody.
type signedIn struct {
	user    *User
	mine    bool // this Authenticator made the login
	scopes  []string
	idToken string
}

// signedIn reads who is signed in in s.
func (a *starter) signedIn(s *session.Session) *signedIn {
	id, err := identityOf(s)
	if err != nil {
		return nil
	}
	here := &signedIn{user: id.user(), mine: id.login.Provider == a.key, scopes: id.record().Scopes}
	here.idToken, _ = s.Token(idTokenName)
	return here
}

// mark is the user's mark, "" for nobody.
func (s *signedIn) mark() string {
	if s == nil {
		return ""
	}
	return userMark(s.user)
}

// userMark tells users apart in a few characters.
func userMark(u *User) string {
	return logtext.Short(u.Tag())
}

// isOther reports whether somebody else has come back from t than the user who was to authenticate
// once more.
func isOther(t *browser.Transaction, u *User) bool { return t.Again() && t.User != userMark(u) }

// addHint tells the provider who is to authenticate once more (Core §3.1.2.1): by the ID token,
// where the request is pushed, since its claims belong neither into URLs nor logs, and else by the
// claim that the application names. A hint that is already set comes from the application.
func (a *starter) addHint(meta *provider.Metadata, t *browser.Transaction, here *signedIn, params url.Values) {
	if !t.Again() || here == nil || !here.mine || params.Has("login_hint") {
		return
	}
	if a.canPush(meta) && a.verifier.KnownStill(here.idToken) {
		params.Set("id_token_hint", here.idToken)
		return
	}
	if a.config.LoginHintClaim == "" {
		return
	}
	var hint string
	if raw, ok := claims.At(here.user.Claims, a.config.LoginHintClaim); ok && json.Unmarshal(raw, &hint) == nil && hint != "" {
		params.Set("login_hint", hint)
	}
}

// loginScopes returns the scopes that a login asks for, nil for those of the configuration. A
// step-up asks for what the session's login had asked for, lest it lose what the user has granted.
func (a *starter) loginScopes(t *browser.Transaction, o LoginOptions, here *signedIn) []string {
	scopes := a.config.Scopes
	switch {
	case o.Scopes != nil:
		scopes = withOpenID(o.Scopes)
	case t.Demand != "" && here != nil && here.mine:
		scopes = a.asked(here.scopes)
	}
	scopes = union(scopes, o.moreScopes)
	if slices.Equal(scopes, a.config.Scopes) {
		return nil
	}
	return scopes
}
