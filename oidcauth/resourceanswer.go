package oidcauth

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
)

// A refusal is why a request to an API may not pass.
type refusal struct {
	status int
	code   string
	err    error

	// scheme is the one that the challenge has its error for; "" makes challenges without one, or
	// none where the status is not about a token.
	scheme string

	// params follow the error in the challenge (RFC 6750 §3, RFC 9470 §3).
	params string

	retryAfter time.Duration
}

// refusalOf is what err means to a caller whose token came with scheme.
func refusalOf(scheme string, err error) *refusal {
	unauthorized := func(code string) *refusal {
		return &refusal{status: http.StatusUnauthorized, code: code, scheme: scheme, err: err}
	}
	switch _, bad := errors.AsType[*provider.TokenError](err); {
	case bad:
		return unauthorized("invalid_token")
	case errors.Is(err, access.ErrProof):
		return unauthorized("invalid_dpop_proof")
	case errors.Is(err, access.ErrProofNonce):
		return unauthorized("use_dpop_nonce")
	case errors.Is(err, access.ErrProofMemory):
		return &refusal{status: http.StatusServiceUnavailable, code: "store_unavailable", err: err}
	}
	refused := &refusal{status: http.StatusServiceUnavailable, code: "provider_unavailable", err: err}
	if outage, ok := errors.AsType[*pace.Outage](err); ok {
		refused.retryAfter = outage.RetryAfter
	}
	return refused
}

// unmetBy is what it means to a caller that a requirement is not met.
func unmetBy(scheme string, err error) *refusal {
	var stepUp *StepUpError
	var scope *scopeError
	switch {
	case errors.As(err, &stepUp):
		return &refusal{status: http.StatusUnauthorized, code: oauth.InsufficientAuthentication, scheme: scheme, params: stepUp.asChallenge().Params(), err: err}
	case errors.As(err, &scope):
		return &refusal{status: http.StatusForbidden, code: "insufficient_scope", scheme: scheme, params: `, scope="` + scope.scope + `"`, err: err}
	}
	return &refusal{status: http.StatusForbidden, code: "forbidden", err: err}
}

// challenges are the WWW-Authenticate headers of f: one for each scheme that the API takes, of which
// one has the error (RFC 6750 §3, RFC 9449 §7.1).
func (r *ResourceServer) challenges(f refusal) []string {
	if f.status != http.StatusUnauthorized && f.scheme == "" {
		return nil
	}
	var list []string
	for _, scheme := range []string{schemeBearer, schemeDPoP} {
		var params []string
		if scheme == f.scheme {
			params = append(params, `error="`+f.code+`"`+f.params)
		} else if f.status != http.StatusUnauthorized {
			continue
		}
		if scheme == schemeDPoP {
			params = append(params, `algs="`+strings.Join(jwt.SigningAlgs, " ")+`"`)
		}
		if r.config.PublishMetadata {
			params = append(params, `resource_metadata="`+r.url.Scheme+"://"+r.url.Host+r.MetadataPath()+`"`)
		}
		header := strings.TrimRight(scheme+" "+strings.Join(params, ", "), " ")
		if scheme == f.scheme {
			list = append([]string{header}, list...)
		} else {
			list = append(list, header)
		}
	}
	return list
}

// refuse answers a request that may not pass: the texts are constants, and the cause is for the log.
func (r *ResourceServer) refuse(w http.ResponseWriter, req *http.Request, f refusal) {
	text := problemTexts[f.code]
	p := &Problem{
		Status: f.status, Code: f.code, Title: text.title, Advice: text.advice, Reference: rand.Text()[:10], Err: exported(f.err),
	}
	if p.Status == http.StatusServiceUnavailable {
		p.RetryAfter = cmp.Or(f.retryAfter, time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	r.logRefusal(req, p)
	protectAnswer(w)
	for _, challenge := range r.challenges(f) {
		w.Header().Add("WWW-Authenticate", challenge)
	}
	if r.config.ErrorHandler != nil {
		r.config.ErrorHandler(w, req, p)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	body := map[string]string{"error": p.Code, "message": p.Title + ". " + p.Advice, "reference": p.Reference}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone, and nothing is left to do then
}

// logRefusal writes the cause to the log: callers' faults are for whoever is asked about a
// reference, and no alarm.
func (r *ResourceServer) logRefusal(req *http.Request, p *Problem) {
	level, event := slog.LevelInfo, problemTexts[p.Code].event
	switch {
	case p.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case p.Code == "unauthorized":
		level = slog.LevelDebug
	}
	if ended, ok := endedEarly(req.Context(), p.Err); ok {
		level, event = ended, "request ended early"
	}
	r.log.LogAttrs(req.Context(), level, event, slog.String("code", p.Code), slog.Int("status", p.Status),
		slog.String("reference", p.Reference), slog.String("path", logtext.Clip(req.URL.Path, 200)), logtext.Reason(p.Err))
}
