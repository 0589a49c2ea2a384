package oidcauth

import (
	"slices"
	"strings"
)

// Get returns the provider with this name, for whatever Providers has no method for: a login with
// special options, Discover. Call it for each request, because a provider that has been changed or
// removed since serves no login. Error: ErrUnknownProvider, also for a retired provider.
func (p *Providers) Get(name string) (*Authenticator, error) {
	p.mu.RLock()
	m := p.byName[name]
	p.mu.RUnlock()
	if m == nil {
		return nil, ErrUnknownProvider
	}
	return m.authenticator(), nil
}

// A ProviderInfo describes a provider in List's result.
type ProviderInfo struct {
	Name, Issuer, ClientID string
}

// List returns the providers sorted by name, without retired ones. The slice is the caller's.
func (p *Providers) List() []ProviderInfo {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]ProviderInfo, 0, len(p.byName))
	for name, m := range p.byName {
		list = append(list, ProviderInfo{Name: name, Issuer: m.config.Issuer, ClientID: m.config.ClientID})
	}
	slices.SortFunc(list, func(a, b ProviderInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}
