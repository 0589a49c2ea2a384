package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/strictjson"
)

// ClaimsProviders takes claims from the parties that the configuration trusts for them. With none it
// takes nothing, and asks nobody. Fields are set before its first use; it is safe for concurrent
// use.
type ClaimsProviders struct {
	// Trusted are those parties.
	Trusted []*ClaimsProvider

	// Limit bounds what all sources of a login take together.
	Limit time.Duration

	// Refused hears of a source whose claims are left out; source is the document's name for it, ""
	// for all.
	Refused func(ctx context.Context, source string, err error)

	// Log hears of panics.
	Log *slog.Logger
}

// A ClaimsProvider is a party that may speak for some claims.
type ClaimsProvider struct {
	// Issuer is the iss of its JWTs, and Claims are what it may speak for.
	Issuer string
	Claims []string

	// Verifier has its keys and the rules for its JWTs.
	Verifier *Verifier

	// SameSubject says that its sub is the OpenID provider's.
	SameSubject bool

	// At reports whether it may be asked at this URL, and Fetch asks there, with the access token
	// if that is not "", and returns the JWT that is answered.
	At    func(*url.URL) bool
	Fetch func(ctx context.Context, target *url.URL, accessToken string) (string, error)
}

// speaksFor returns those of names that the party may speak for.
func (p *ClaimsProvider) speaksFor(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(p.Claims, name) })
}

// Complete adds to the claims of the user called subject what the sources say that the documents
// name. It never fails: what can't be had or is not to be believed is left out, and logged.
func (s *ClaimsProviders) Complete(ctx context.Context, subject string, known json.RawMessage, documents ...json.RawMessage) json.RawMessage {
	if len(s.Trusted) == 0 {
		return known
	}
	// Neither a browser that leaves nor a source that hangs decides over the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limit)
	defer cancel()
	sources := s.named(ctx, known, documents)
	answers := make([]json.RawMessage, len(sources))
	errs := make([]error, len(sources))
	var under sync.WaitGroup
	for i := range sources {
		under.Go(func() {
			defer pace.Recovered(ctx, s.Log, &errs[i])
			answers[i], errs[i] = s.ask(ctx, &sources[i], subject)
		})
	}
	under.Wait()
	for i := range sources {
		err := errs[i]
		if err == nil {
			known, err = claims.MergeSourced(known, answers[i])
		}
		if err != nil {
			s.Refused(ctx, sources[i].Name, err)
		}
	}
	return known
}

// named returns the sources of claims that are not known yet and that some claims provider may
// speak for. Of two documents that name a source for the same claim, the first counts.
func (s *ClaimsProviders) named(ctx context.Context, claims json.RawMessage, documents []json.RawMessage) (sources []ClaimSource) {
	known, err := strictjson.Parse(claims)
	if err != nil {
		s.Refused(ctx, "", err)
		return nil
	}
	named := map[string]bool{}
	for _, document := range documents {
		found, err := parseClaimSources(document, func(name string) bool {
			spoken := slices.ContainsFunc(s.Trusted, func(p *ClaimsProvider) bool { return slices.Contains(p.Claims, name) })
			return spoken && !known.Has(name) && !named[name]
		})
		if err != nil {
			s.Refused(ctx, "", err)
			continue
		}
		for _, source := range found {
			for _, name := range source.Claims {
				named[name] = true
			}
		}
		sources = append(sources, found...)
	}
	return sources
}

// ask returns the claims of one source, verified, as a JSON object.
func (s *ClaimsProviders) ask(ctx context.Context, source *ClaimSource, subject string) (json.RawMessage, error) {
	trusted := slices.DeleteFunc(slices.Clone(s.Trusted), func(p *ClaimsProvider) bool { return len(p.speaksFor(source.Claims)) == 0 })
	raw := source.JWT
	if source.Endpoint != "" {
		var err error
		if raw, trusted, err = fetchFrom(ctx, trusted, source); err != nil {
			return nil, err
		}
	}
	jws, err := jwt.Parse(raw)
	if err != nil {
		return nil, err
	}
	// iss chooses whose keys and rules hold; the signature then proves it.
	iss, err := jws.Payload.Text("iss")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(trusted, func(p *ClaimsProvider) bool { return p.Issuer == iss })
	if i < 0 {
		return nil, fmt.Errorf("iss: expected one of Advanced.ClaimsProviders that may speak for this, got %s", logtext.Quote(iss))
	}
	if err := trusted[i].Verifier.checkClaimsJWT(ctx, jws, subject, trusted[i].SameSubject); err != nil {
		return nil, err
	}
	return claims.MembersOf(jws.Payload, trusted[i].speaksFor(source.Claims))
}

// fetchFrom fetches a distributed source from the first of trusted that has its origin, and returns
// those of them that the answer may be from.
func fetchFrom(ctx context.Context, trusted []*ClaimsProvider, source *ClaimSource) (string, []*ClaimsProvider, error) {
	target, err := url.Parse(source.Endpoint)
	if err != nil {
		return "", nil, errors.New("endpoint: expected an absolute URL, got one that can't be parsed")
	}
	trusted = slices.DeleteFunc(trusted, func(p *ClaimsProvider) bool { return !p.At(target) })
	if len(trusted) == 0 {
		return "", nil, fmt.Errorf("endpoint: expected one at an origin of Advanced.ClaimsProviders that may speak for this, got %s",
			logtext.Quote(target.Scheme+"://"+target.Host))
	}
	if err := outbound.CheckEndpoint(trusted[0].Issuer, source.Endpoint); err != nil {
		return "", nil, fmt.Errorf("endpoint: %w", err)
	}
	raw, err := trusted[0].Fetch(ctx, target, source.AccessToken)
	return raw, trusted, err
}
