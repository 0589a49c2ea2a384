package packed_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/packed/reference"
)

// BenchmarkForm measures what a first sight does with the form: Ratios count, not times.
func BenchmarkForm(b *testing.B) {
	for name, set := range map[string]reference.Tokens{"S": reference.S(1), "L": reference.L(1)} {
		var d packed.Delta
		require.NoError(b, d.Amend(fresh(), func(f *packed.Facts) { f.Login = alice() }))
		d.Tokens = map[string]string{"id": set.ID, "access": set.Access, "refresh": set.Refresh}
		made := fresh().Apply(&d, nil)
		plain := mustPack(b, made)
		unpack := func(b *testing.B) *packed.Generation {
			g, err := packed.Unpack(plain)
			if err != nil {
				b.Fatal(err)
			}
			return g
		}
		b.Run(name+"/pack new tokens", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustPack(b, made)
			}
		})
		b.Run(name+"/unpack and login", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if unpack(b).Facts().Login.Provider == "" {
					b.Fatal("nobody")
				}
			}
		})
		b.Run(name+"/unpack and claims", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := unpack(b).Claims("id"); !ok {
					b.Fatal("no claims")
				}
			}
		})
		b.Run(name+"/unpack and token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := unpack(b).Token("access"); !ok {
					b.Fatal("no token")
				}
			}
		})
	}
}
