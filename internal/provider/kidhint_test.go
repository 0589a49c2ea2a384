package provider_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/providertest"
)

// The kid is a hint, and the signature decides: beyond eight other keys nobody looks, and a foreign key is none.
func TestOtherKeysThanTheNamedAreTriedWithinBounds(t *testing.T) {
	keys := func(n int, last m) []any {
		list := []any{jwkOf(otherRSA().Public(), "k1")}
		for i := range n {
			list = append(list, jwkOf(otherRSA().Public(), fmt.Sprint("other-", i)))
		}
		return append(list, last)
	}
	right := jwkOf(rsaKey().Public(), "right")
	for _, row := range []struct {
		name string
		keys []any
		ok   bool
	}{
		{"the eighth other key", keys(7, right), true},
		{"the ninth other key", keys(8, right), false},
		{"the only other key is not the right one either", keys(0, jwkOf(otherRSA().Public(), "k2")), false},
		{"keys of other types don't count", append([]any{jwkOf(ecKey().Public(), "a"), jwkOf(edKey().Public(), "b")}, keys(7, right)...), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			op.Publish(row.keys...)
			err := login(op.Verifier(), signedBy(rsaKey(), "k1"))
			if row.ok {
				require.NoError(t, err)
				return
			}
			requireTokenError(t, err)
			require.Equal(t, 2, op.Hits("/jwks"), "the newest set was asked, once")
		})
	}
}
