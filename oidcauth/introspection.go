package oidcauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
)

// ask finds out what a token is worth that only its issuer understands (RFC 7662). Requests with the
// same token at the same time make one question, which none of them can end.
func (r *ResourceServer) ask(ctx context.Context, hash [32]byte, token string) (*verdict, error) {
	if r.asked == nil {
		return nil, provider.RefuseAccessToken(fmt.Errorf("%w: it isn't a JWT, and none of the Issuers allows introspection (Introspect)", ErrUncheckable))
	}
	key := base64.RawURLEncoding.EncodeToString(hash[:])
	if err := r.pauses.Check(key); err != nil {
		return nil, r.unanswered(err)
	}
	v, _, err := r.flight.Do(ctx, key, r.asked.timeout+callbackPatience, func(ctx context.Context) (*verdict, error) {
		if v, known := r.seen.Get(hash, time.Now()); known {
			return v, nil // a flight has ended since the caller looked
		}
		release, err := r.places.Take(ctx, callbackPatience)
		if err != nil {
			return nil, fmt.Errorf("too many introspections at once: %w", err)
		}
		defer release()
		return r.question(ctx, hash, key, token)
	})
	return v, err
}

// question asks, once.
func (r *ResourceServer) question(ctx context.Context, hash [32]byte, key, token string) (*verdict, error) {
	asked := time.Now() // what is revoked while the answer is under way is in none
	answer, body, err := r.asked.endpoint.Introspect(ctx, token)
	if err != nil {
		r.log.LogAttrs(ctx, slog.LevelWarn, "introspection failed", slog.String("issuer", r.asked.issuers.Configured), logtext.Reason(err))
		return nil, r.unanswered(r.pauses.Failed(key, key, err))
	}
	r.pauses.Succeeded(key)
	refused := errors.New("active: false")
	if active, _ := answer.Flag("active"); active { // Introspect has looked at its type
		t, err := r.asked.verifier.Introspected(answer, body, r.asked.rules)
		if err == nil {
			return r.keep(hash, t, asked), nil
		}
		refused = err
	}
	v := &verdict{refused: provider.RefuseAccessToken(refused)}
	r.seen.Put(hash, v, 0, time.Now(), time.Until(asked.Add(refusalLife)))
	return v, nil
}

// unanswered is what it means that a question was not answered. An endpoint that there is not, or
// that refuses this client or the very token, has said nothing that another try would change.
func (r *ResourceServer) unanswered(err error) error {
	what, failed, isEndpoint := oauth.FailureOf(err)
	switch {
	case errors.Is(err, oauth.ErrNoIntrospection), isEndpoint && what == oauth.RequestRefused && failed.Status == http.StatusBadRequest:
		return provider.RefuseAccessToken(fmt.Errorf("%w: %w", ErrUncheckable, err))
	case isEndpoint && what == oauth.ClientRefused:
		return fmt.Errorf("%w: %w", ErrUncheckable, err)
	}
	return err
}
