package reference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed/reference"
)

func TestReferenceSetsHaveTheSizesOfTheTable(t *testing.T) {
	s, l := reference.S(1), reference.L(1)
	require.Equal(t, [3]int{1238, 1049, 677}, [3]int{len(s.ID), len(s.Access), len(s.Refresh)})
	require.Equal(t, [3]int{1674, 2158, 1400}, [3]int{len(l.ID), len(l.Access), len(l.Refresh)})
}
