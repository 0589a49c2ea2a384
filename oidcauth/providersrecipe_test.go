package oidcauth_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A Tenant is a row. Each change of the row changes its Version.
type Tenant struct {
	Name    string
	Version int
	Config  oidcauth.Config
	Options []oidcauth.ProviderOption // Offered(label), for the page to choose on
}

// update makes providers match rows. Whatever fails is tried again in the next round.
func update(ctx context.Context, providers *oidcauth.Providers, rows []Tenant, have map[string]int) error {
	var failed []error
	gone := maps.Clone(have)
	for _, row := range rows {
		delete(gone, row.Name)
	}
	for name := range gone { // first, since a new row may have the issuer and client of one that is gone
		err := providers.Remove(ctx, name)
		if err == nil {
			delete(have, name)
		} else {
			have[name] = -1 // it is gone, but the end of its sessions has to be stored in the next round
		}
		failed = append(failed, err)
	}
	for _, row := range rows {
		version, known := have[row.Name]
		var err error
		switch {
		case !known:
			err = providers.Add(row.Name, row.Config, row.Options...)
		case version != row.Version:
			err = providers.Replace(ctx, row.Name, row.Config, row.Options...)
			if errors.Is(err, oidcauth.ErrUnknownProvider) {
				err = providers.Add(row.Name, row.Config, row.Options...)
			}
		}
		if err == nil {
			have[row.Name] = row.Version
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// TestTheRecipeForADatabase runs what docs/many-providers.md has, which is the code above.
func TestTheRecipeForADatabase(t *testing.T) {
	own, err := os.ReadFile("providersrecipe_test.go")
	require.NoError(t, err)
	_, recipe, _ := strings.Cut(string(own), "// A Tenant is")
	recipe, _, _ = strings.Cut(recipe, "\n// TestTheRecipe")
	page, err := os.ReadFile("../docs/many-providers.md")
	require.NoError(t, err)
	require.Contains(t, string(page), recipe)

	store := &failingStore{Store: session.NewMemoryStore()}
	w := newTown(t)
	p := w.replica(func(c *oidcauth.ProvidersConfig) { c.Session.Store = store })
	have := map[string]int{}
	round := func(rows ...Tenant) error { return update(t.Context(), p, rows, have) }
	names := func() (names []string) {
		for _, info := range p.List() {
			names = append(names, info.Name)
		}
		return names
	}
	row := func(name, config string, version int) Tenant {
		return Tenant{Name: name, Version: version, Config: w.config(config), Options: []oidcauth.ProviderOption{oidcauth.Offered(name)}}
	}
	require.NoError(t, round(row("acme", "acme", 1), row("bolt", "bolt", 1)))
	require.Equal(t, []string{"acme", "bolt"}, names())
	require.NoError(t, round(row("acme", "acme", 1), row("cove", "bolt", 1)), "another name for the same issuer and client")
	require.Equal(t, []string{"acme", "cove"}, names())

	broken := row("acme", "acme", 2)
	broken.Config.Issuer = ""
	require.ErrorContains(t, round(broken, row("cove", "bolt", 2)), "Issuer")
	require.Equal(t, map[string]int{"acme": 1, "cove": 2}, have, "one row that is wrong keeps no other from changing")
	require.NoError(t, round(row("acme", "acme", 2), row("cove", "bolt", 2)))
	require.Equal(t, map[string]int{"acme": 2, "cove": 2}, have)

	store.fail(true)
	require.ErrorIs(t, round(row("acme", "acme", 2)), session.ErrUnavailable)
	require.Equal(t, []string{"acme"}, names())
	store.fail(false)
	require.NoError(t, round(row("acme", "acme", 2)), "what the Store was not told is told now")
	require.Equal(t, map[string]int{"acme": 2}, have)

	store.fail(true)
	require.ErrorIs(t, round(), session.ErrUnavailable)
	store.fail(false)
	require.NoError(t, round(row("acme", "acme", 2)), "a row that comes back as it was")
	require.Equal(t, []string{"acme"}, names())
}
