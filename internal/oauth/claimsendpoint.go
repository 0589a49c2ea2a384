package oauth

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/internal/pace"
)

// ClaimsEndpoints are the endpoints of one claims provider (Core §5.6.2). They are safe for
// concurrent use.
type ClaimsEndpoints struct {
	// Issuer names the claims provider, and Client calls it.
	Issuer string
	Client *http.Client

	// pauses leave them alone for a while when one did not answer, so that an outage doesn't delay
	// every login.
	pauses pace.Pauses
}

// Fetch asks an endpoint of the claims provider, which the caller has found among its origins, and
// returns the JWT that it answers. The access token goes there and nowhere else (RFC 6750 §2.1).
func (p *ClaimsEndpoints) Fetch(ctx context.Context, target *url.URL, accessToken string) (string, error) {
	if err := p.pauses.Check(p.Issuer); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return "", errors.New("endpoint: expected a URL that can be called")
	}
	req.Header.Set("Accept", "application/jwt")
	if accessToken != "" {
		req.Header.Set("Authorization", "Bearer "+accessToken)
	}
	a, err := new(Endpoint).do("claims", req, []string{accessToken}, p.Client.Do)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Status == 0 {
		_ = p.pauses.Failed(p.Issuer, p.Issuer, err) // err says more
		return "", err
	}
	p.pauses.Succeeded(p.Issuer) // whatever it answered: one user's error doesn't affect the others
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(a.Body)), nil
}
