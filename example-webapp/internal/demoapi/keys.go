package demoapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/signet-go/signet/example-webapp/internal/settings"
)

// How much, and how often, the demo API asks of the provider.
const (
	// keysMaxAge is how long fetched metadata and keys serve.
	keysMaxAge = time.Hour
	// keysMinAge is the brake: a stranger's tokens with unknown key ids cause no more than one
	// fetch in this time.
	keysMinAge = 10 * time.Second
	// maxProviderAnswer bounds what the demo API reads from the provider.
	maxProviderAnswer = 1 << 20
)

// providerKeys are the provider's metadata and public keys, as a resource server needs them. Safe
// for concurrent use.
//
// It is deliberately plain: one document, one set. Whoever needs a key that is not there waits for
// the fetch, others don't.
type providerKeys struct {
	issuer string
	client *http.Client

	// fetching is held during a fetch, mu never for longer than it takes to look. Who holds both has
	// taken fetching first.
	fetching sync.Mutex
	mu       sync.Mutex
	// The last attempt, whatever became of it: the brake counts failures too.
	tried    time.Time
	fetched  time.Time
	metadata providerMetadata
	set      goidc.JSONWebKeySet // skips keys that it can't parse
}

// providerMetadata is what a resource server reads of the metadata (OpenID Connect Discovery §3,
// RFC 8414 §2).
type providerMetadata struct {
	Issuer                string `json:"issuer"`
	JWKSURI               string `json:"jwks_uri"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
}

// matching returns the keys that may have made a signature with this header: by kid when it names
// one, else all.
//
// Keys that are old but can't be renewed go on to serve: the provider's outage should not become
// the API's. A kid that is not there causes a fetch, since it may be new.
func (p *providerKeys) matching(ctx context.Context, header jose.Header) ([]jose.JSONWebKey, error) {
	keys, fetched := p.candidates(header)
	if len(keys) > 0 && time.Since(fetched) < keysMaxAge {
		return keys, nil
	}
	if err := p.fetch(ctx); err != nil && len(keys) == 0 {
		return nil, err
	}
	keys, _ = p.candidates(header)
	return keys, nil
}

// endpoint returns the introspection endpoint, empty when the provider has none.
func (p *providerKeys) endpoint(ctx context.Context) (string, error) {
	known := func() (string, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.metadata.IntrospectionEndpoint, !p.fetched.IsZero()
	}
	if endpoint, ok := known(); ok {
		return endpoint, nil
	}
	if err := p.fetch(ctx); err != nil {
		return "", err
	}
	endpoint, _ := known()
	return endpoint, nil
}

// candidates leaves out private and symmetric keys, which a provider that publishes them has lost,
// and keys for encryption.
func (p *providerKeys) candidates(header jose.Header) (keys []jose.JSONWebKey, fetched time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.set.Keys {
		if k.IsPublic() && k.Use != "enc" && (header.KeyID == "" || k.KeyID == header.KeyID) {
			keys = append(keys, k)
		}
	}
	return keys, p.fetched
}

// fetch loads metadata and keys unless somebody tried a moment ago. A caller that goes away does
// not fail it for the others: the client's own time-out ends it.
func (p *providerKeys) fetch(ctx context.Context) error {
	p.fetching.Lock()
	defer p.fetching.Unlock()
	if due, err := p.mayFetch(); !due {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	var metadata providerMetadata
	if err := p.get(ctx, strings.TrimSuffix(p.issuer, "/")+"/.well-known/openid-configuration", &metadata); err != nil {
		return err
	}
	if metadata.Issuer != p.issuer {
		return fmt.Errorf("the metadata of %q is for issuer %q", p.issuer, metadata.Issuer)
	}
	var set goidc.JSONWebKeySet
	if err := p.get(ctx, metadata.JWKSURI, &set); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metadata, p.set, p.fetched = metadata, set, time.Now()
	return nil
}

// mayFetch is the brake of fetch. It returns an error where there is nothing to go on with.
func (p *providerKeys) mayFetch() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.tried) >= keysMinAge {
		p.tried = time.Now()
		return true, nil
	}
	if p.fetched.IsZero() {
		return false, errors.New("the provider's keys were not to be had a moment ago")
	}
	return false, nil
}

// get fetches a public document; no credentials go along.
func (p *providerKeys) get(ctx context.Context, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	return doJSON(p.client, req, into)
}

// byteOrderMark stands before the JSON of some servers, and means nothing (RFC 8259 §8.1).
const byteOrderMark = "\uFEFF"

// doJSON sends req, to https or loopback only, and decodes a bounded JSON answer with status 200.
//
// Other members than those of into are ignored; a body that goes on after the first value is left
// unread.
func doJSON(client *http.Client, req *http.Request, into any) error {
	if req.URL.Scheme != "https" && !settings.IsLoopback(req.URL.Hostname()) {
		return fmt.Errorf("want https, got %s", req.URL.Redacted())
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Redacted(), resp.Status)
	}
	body := bufio.NewReader(io.LimitReader(resp.Body, maxProviderAnswer))
	if start, err := body.Peek(len(byteOrderMark)); err == nil && string(start) == byteOrderMark {
		_, _ = body.Discard(len(byteOrderMark)) // it is there
	}
	return json.NewDecoder(body).Decode(into)
}
