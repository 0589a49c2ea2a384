package access_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
)

func TestWhatIsKnownOfATokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s access.Seen[string]
		s.Put(access.Hash("a"), "good", 10, time.Now(), time.Minute)
		s.Put(access.Hash("b"), "good", 10, time.Now(), 0)
		_, known := s.Get(access.Hash("b"), time.Now())
		require.False(t, known)
		time.Sleep(59 * time.Second)
		v, known := s.Get(access.Hash("a"), time.Now())
		require.True(t, known)
		require.Equal(t, "good", v)
		time.Sleep(time.Second)
		_, known = s.Get(access.Hash("a"), time.Now())
		require.False(t, known)
	})
}

// Tokens that nobody sends twice take no more room than the bound.
func TestTheMemoryOfTokensIsBounded(t *testing.T) {
	var s access.Seen[int]
	for i := range 100_000 {
		s.Put(access.Hash(fmt.Sprint(i)), i, 400, time.Now(), time.Minute)
		require.LessOrEqual(t, access.SizeOf(&s), 8<<20)
	}
	require.Greater(t, access.SizeOf(&s), 7<<20)
}
