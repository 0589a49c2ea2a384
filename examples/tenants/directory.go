package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/signet-go/signet/oidcauth"
)

// A directory keeps the tenants, secrets included, in a file that only this user may read, and the
// providers in step with it. It is safe for concurrent use.
type directory struct {
	file      string
	nearby    string // the one place in our own network where their providers may be
	providers *oidcauth.Providers

	mu      sync.RWMutex
	tenants []tenant
}

// open adds everybody to p. What was retired is added and retired again, until its last session is
// over.
func (d *directory) open(p *oidcauth.Providers) error {
	d.providers = p
	d.tenants = slices.DeleteFunc(d.tenants, func(t tenant) bool {
		return !t.Retired.IsZero() && time.Since(t.Retired) > p.Sessions().Config().Lifetime
	})
	slices.SortStableFunc(d.tenants, func(a, b tenant) int { return b.Retired.Compare(a.Retired) }) // before who has the name now
	for _, t := range d.tenants {
		if err := p.Add(t.Name, t.config(), t.options(d.nearby)...); err != nil {
			return err
		}
		if !t.Retired.IsZero() {
			if err := p.Retire(t.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// add lets a tenant's people sign in from now on.
func (d *directory) add(ctx context.Context, t tenant) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, other := range d.tenants {
		if t.Name == other.Name && !other.Retired.IsZero() {
			return fmt.Errorf("sessions of an earlier %q live on, and would be this one's: sign them out first, or choose another name", t.Name)
		}
		if t.Domain != "" && t.Domain == other.Domain && other.Retired.IsZero() {
			return fmt.Errorf("the people of %s are those of %q already", t.Domain, other.Name)
		}
	}
	if err := d.providers.Add(t.Name, t.config(), t.options(d.nearby)...); err != nil {
		return err // it names every mistake
	}
	if err := d.write(append(slices.Clone(d.tenants), t)); err != nil {
		return errors.Join(err, d.providers.Remove(ctx, t.Name))
	}
	return nil
}

// remove keeps a tenant's people from signing in. Their sessions end, or live on without tokens.
func (d *directory) remove(ctx context.Context, name string, keepSessions bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest := slices.Clone(d.tenants)
	if keepSessions {
		for i := range rest {
			if rest[i].Name == name && rest[i].Retired.IsZero() {
				rest[i].Retired = time.Now()
			}
		}
	} else {
		rest = slices.DeleteFunc(rest, func(t tenant) bool { return t.Name == name })
	}
	if slices.Equal(rest, d.tenants) {
		return oidcauth.ErrUnknownProvider
	}
	if err := d.write(rest); err != nil {
		return err // and nothing has changed
	}
	if keepSessions {
		return d.providers.Retire(name)
	}
	return d.providers.Remove(ctx, name)
}

// byDomain names the tenant whose people have addresses of a domain, "" for none.
func (d *directory) byDomain(domain string) string {
	for _, t := range d.list() {
		if t.Domain == domain && t.Retired.IsZero() {
			return t.Name
		}
	}
	return ""
}

func (d *directory) list() []tenant {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.tenants)
}
