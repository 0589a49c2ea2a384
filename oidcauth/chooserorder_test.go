package oidcauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// offers are the names on the page where one is chosen, in its order.
func (w *town) offers() (names []string) {
	w.Helper()
	for _, link := range regexp.MustCompile(`href="/auth/([a-z0-9-]+)/login`).FindAllStringSubmatch(w.get("/auth/login").Body, -1) {
		names = append(names, link[1])
	}
	return names
}

func TestOffersAreInTheOrderOfTheirLabelsHoweverTheyChange(t *testing.T) {
	w := newTown(t)
	offer := func(name, label string) {
		w.Helper()
		require.NoError(w, w.providers.Replace(w.Context(), name, w.config(name), oidcauth.Offered(label)))
	}
	for _, name := range []string{"cove", "dune"} {
		w.open(name)
		require.NoError(t, w.providers.Add(name, w.config(name), oidcauth.Offered("Same")))
	}
	offer("acme", "Zebra")
	offer("bolt", "Apple")
	require.Equal(t, []string{"bolt", "cove", "dune", "acme"}, w.offers(), "by label, and by name where that is the same")
	offer("acme", "Aardvark")
	require.Equal(t, []string{"acme", "bolt", "cove", "dune"}, w.offers())
	require.NoError(t, w.providers.Replace(t.Context(), "bolt", w.config("bolt")))
	require.Equal(t, []string{"acme", "cove", "dune"}, w.offers(), "it is offered no more")
	require.NoError(t, w.providers.Retire("cove"))
	require.Equal(t, []string{"acme", "dune"}, w.offers())
	before := w.config("dune")
	w.openAt("dune", "https://new.dune.test")
	offer("dune", "0")
	require.Equal(t, []string{"dune", "acme"}, w.offers(), "another provider under the name")
	require.NoError(t, w.providers.Remove(t.Context(), "acme"))
	require.NoError(t, w.providers.Remove(t.Context(), "dune"))
	require.NoError(t, w.providers.Add("dune", before, oidcauth.Offered("Dune")))
	offer("bolt", "Bolt")
	require.Equal(t, []string{"bolt", "dune"}, w.offers())
	require.Error(t, w.providers.Add("dune", before, oidcauth.Offered("Twice")))
	require.Equal(t, []string{"bolt", "dune"}, w.offers(), "what was refused changes nothing")
}

// BenchmarkChooser is one view of the page on which a provider is chosen, by the number of providers that are offered.
func BenchmarkChooser(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("of %d", n), func(b *testing.B) {
			p, _ := thousands(b, n, func(name string) []oidcauth.ProviderOption {
				return []oidcauth.ProviderOption{oidcauth.Offered("Tenant " + name)}
			})
			r := navigation(app + "/auth/login?return_to=/any")
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				p.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
