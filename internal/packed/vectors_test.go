package packed_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/packed/reference"
)

var update = flag.Bool("update", false, "write the vectors that are not there")

// content is everything that a generation holds.
type content struct {
	ID                      string
	Number                  uint64
	Created, Deadline, Idle int64
	Facts                   packed.Facts
	Tags                    []packed.Tag
	Values                  []packed.Value
	Tokens                  map[string]string
	Extension               []byte
}

const vectorExtension = packed.FirstExtension + 99

func contentOf(g *packed.Generation) content {
	extension, _ := g.Extension(vectorExtension)
	return content{g.ID, g.Number, g.Created, g.Deadline, g.Idle, *g.Facts(), g.Tags, g.Values, packed.Texts(g), extension}
}

// vectors are sessions of all kinds. What was packed once is kept under testdata/vectors.
func vectors(t testing.TB) map[string]*packed.Generation {
	born := &packed.Generation{ID: "AAECAwQFBgcICQoLDA0ODw", Created: 1767280200123, Deadline: 1767323400123, Idle: 1767282000123}
	build := func(change func(*packed.Facts), d packed.Delta) *packed.Generation {
		require.NoError(t, d.Amend(born, change))
		return born.Apply(&d, nil)
	}
	nothing := func(*packed.Facts) {}
	s, l := reference.S(1), reference.L(1)
	extended := packed.Delta{}
	extended.SetExtension(vectorExtension, []byte{0, 1, 0xff})
	return map[string]*packed.Generation{
		"empty": build(nothing, packed.Delta{}),
		"facts": build(func(f *packed.Facts) {
			*f = packed.Facts{Login: alice(), Persistent: packed.No,
				Key: packed.DeviceKey{Thumbprint: thumbprint, Deadline: 1767280500000}}
		}, packed.Delta{}),
		"values": build(nothing, packed.Delta{Values: map[string][]byte{"oidc": []byte("{}"), "f.cart": {0, 1, 2}}, Tags: []packed.Tag{
			{Key: "0123456789abcdef", Foreign: packed.NoStamp}, {Key: "fedcba9876543210", Foreign: 1767280200000},
		}}),
		"listed": build(nothing, packed.Delta{Tags: []packed.Tag{
			{Key: "0123456789abcdef", Foreign: packed.NoStamp, Listed: true}, {Key: "fedcba9876543210", Foreign: 1767280200000},
		}}),
		"extension": build(nothing, extended),
		"jwts": build(nothing, packed.Delta{Tokens: map[string]string{
			"id": s.ID, "access": s.Access, "refresh": s.Refresh, "access.other": "opaque~token",
		}}),
		"large": build(func(f *packed.Facts) { f.Login = alice() }, packed.Delta{Tokens: map[string]string{
			"id": l.ID, "access": l.Access, "refresh": l.Refresh,
		}}),
	}
}

// What any release has written, every later one reads. A vector that fails here means that sessions
// of users would be lost: change the version, keep the reader of the old one, and add vectors.
func TestVectorsAreReadAndWrittenAsEver(t *testing.T) {
	for name, g := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join("testdata", "vectors", "v1-"+name)
			if _, err := os.Stat(base + ".hex"); *update && os.IsNotExist(err) {
				writeVector(t, base, g)
			}
			text, err := os.ReadFile(base + ".hex")
			require.NoError(t, err)
			plain, err := hex.DecodeString(strings.TrimSpace(string(text)))
			require.NoError(t, err)
			read, err := packed.Unpack(plain)
			require.NoError(t, err)
			want, err := os.ReadFile(base + ".json")
			require.NoError(t, err)
			got, err := json.MarshalIndent(contentOf(read), "", "\t")
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
			again, err := read.Pack()
			require.NoError(t, err)
			require.Equal(t, plain, again, "written again")
			if len(packed.Texts(g)) == 0 { // others depend on compress/flate and on fresh signatures
				built, err := g.Pack()
				require.NoError(t, err)
				require.Equal(t, plain, built, "written anew")
			}
		})
	}
}

func writeVector(t *testing.T, base string, g *packed.Generation) {
	plain, err := g.Pack()
	require.NoError(t, err)
	g = reread(t, g)
	described, err := json.MarshalIndent(contentOf(g), "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(base), 0o755))
	require.NoError(t, os.WriteFile(base+".hex", []byte(hex.EncodeToString(plain)+"\n"), 0o644))
	require.NoError(t, os.WriteFile(base+".json", append(described, '\n'), 0o644))
}
