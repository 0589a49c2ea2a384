package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// MaxClaimSources bounds how many sources one document may have us use. Real ones have one or two.
const MaxClaimSources = 8

// A ClaimSource is where some claims are (Core §5.6.2): in a JWT that came along, or at an
// endpoint. It is what a document says, and nothing in it is believed yet.
type ClaimSource struct {
	// Name is the document's own name for the source; claims are those that it is named for.
	Name   string
	Claims []string

	// JWT is that of aggregated claims, else "".
	JWT string

	// Endpoint answers distributed claims to whoever has AccessToken, which may be "".
	Endpoint, AccessToken string
}

// parseClaimSources reads _claim_names and _claim_sources of an ID token or a userinfo answer, in
// the order of the names. Only names that are wanted are looked at, and only the sources of those:
// a document may have others for others. One of them that makes no sense refuses all.
func parseClaimSources(document json.RawMessage, wanted func(name string) bool) ([]ClaimSource, error) {
	o, err := claims.ParseOptional(document)
	if err != nil || !o.Present("_claim_names") {
		return nil, err
	}
	names, err := strictjson.Parse(o.Values["_claim_names"])
	if err != nil {
		return nil, fmt.Errorf("_claim_names: %w", err)
	}
	var sources []ClaimSource
	for _, claim := range names.Names {
		if !wanted(claim) {
			continue
		}
		name, err := names.Text(claim)
		if err != nil || name == "" {
			return nil, fmt.Errorf("_claim_names: %s: expected the name of a source", logtext.Quote(claim))
		}
		i := slices.IndexFunc(sources, func(s ClaimSource) bool { return s.Name == name })
		if i < 0 {
			i, sources = len(sources), append(sources, ClaimSource{Name: name})
		}
		sources[i].Claims = append(sources[i].Claims, claim)
	}
	if len(sources) > MaxClaimSources {
		return nil, fmt.Errorf("_claim_names: expected at most %d sources, got %d", MaxClaimSources, len(sources))
	}
	return sources, readClaimSources(sources, o)
}

// readClaimSources completes sources from a document's _claim_sources.
func readClaimSources(sources []ClaimSource, document strictjson.Object) error {
	if len(sources) == 0 {
		return nil
	}
	all, err := strictjson.Parse(document.Values["_claim_sources"])
	if err != nil {
		return fmt.Errorf("_claim_sources: %w", err)
	}
	for i := range sources {
		one, err := strictjson.Parse(all.Values[sources[i].Name])
		if err == nil {
			err = sources[i].read(one)
		}
		if err != nil {
			return fmt.Errorf("_claim_sources: %s: %w", logtext.Quote(sources[i].Name), err)
		}
	}
	return nil
}

// read reads one member of _claim_sources. A source is of one type: with two, one reader would
// verify this and another that.
func (s *ClaimSource) read(o strictjson.Object) error {
	if o.Has("JWT") == o.Has("endpoint") {
		return errors.New("expected either JWT or endpoint")
	}
	if o.Has("JWT") {
		s.JWT, _ = o.Text("JWT")
		if s.JWT == "" {
			return errors.New("JWT: expected a token")
		}
		return nil
	}
	var err error
	if s.Endpoint, err = o.Text("endpoint"); err != nil || s.Endpoint == "" {
		return errors.New("endpoint: expected a URL")
	}
	// It goes into a header as it is (RFC 6750 §2.1).
	s.AccessToken, err = o.Credential("access_token")
	return err
}
