package packed_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed"
)

var thumbprint = base64.RawURLEncoding.EncodeToString([]byte("thumbprint of thirty-two bytes.."))

// alice is a login with every field set.
func alice() *packed.Login {
	age := int64(600)
	return &packed.Login{
		Provider: "9ecea40c-107c-408a-ae24-ce5798c1fe61", Roles: []string{"admin", "", "Žofie"},
		AuthTime: 1767280199, Time: 1767280200123, MaxAge: &age, Amended: true,
	}
}

// reread is g as another process reads it.
func reread(t *testing.T, g *packed.Generation) *packed.Generation {
	t.Helper()
	plain, err := g.Pack()
	require.NoError(t, err)
	again, err := packed.Unpack(plain)
	require.NoError(t, err)
	return again
}

// amended is a session whose facts were changed.
func amended(t *testing.T, g *packed.Generation, change func(*packed.Facts)) *packed.Generation {
	t.Helper()
	var d packed.Delta
	require.NoError(t, d.Amend(g, change))
	return g.Apply(&d, nil)
}

func fresh() *packed.Generation {
	return &packed.Generation{ID: "AAAA", Number: 1, Created: 1, Deadline: 2}
}

func TestFactsComeBack(t *testing.T) {
	bare := &packed.Login{Provider: "9ECEA40C-107c-408a-ae24-ce5798c1fe61"}
	rows := []struct {
		name  string
		facts packed.Facts
	}{
		{"none", packed.Facts{}},
		{"a login", packed.Facts{Login: alice()}},
		{"a login without anything but a provider that is almost a UUID", packed.Facts{Login: bare}},
		{"an empty login, which is not none", packed.Facts{Login: new(packed.Login)}},
		{"a cookie that outlives the browser", packed.Facts{Persistent: packed.Yes}},
		{"a cookie that does not", packed.Facts{Persistent: packed.No}},
		{"a key", packed.Facts{Key: packed.DeviceKey{Thumbprint: thumbprint}}},
		{"a key that is awaited", packed.Facts{Key: packed.DeviceKey{Deadline: 1767280200123}}},
		{"all at once", packed.Facts{
			Login: alice(), Persistent: packed.No, Key: packed.DeviceKey{Thumbprint: thumbprint, Deadline: 1},
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := amended(t, fresh(), func(f *packed.Facts) { *f = row.facts })
			require.Equal(t, row.facts, *g.Facts())
			require.Equal(t, row.facts, *reread(t, g).Facts())
			require.Equal(t, row.facts, *reread(t, g.IdleAt(7)).Facts())
			var same packed.Delta
			require.NoError(t, same.Amend(g, func(*packed.Facts) {}))
			require.True(t, same.Empty())
			gone := amended(t, reread(t, g), func(f *packed.Facts) { *f = packed.Facts{} })
			require.Equal(t, packed.Facts{}, *reread(t, gone).Facts())
		})
	}
}

func TestThumbprintThatIsNoneIsRefused(t *testing.T) {
	for name, bad := range map[string]string{"a word": "key", "too short": thumbprint[:42], "too long": thumbprint + "AA", "no base64": strings.Repeat("!", 43)} {
		t.Run(name, func(t *testing.T) {
			var d packed.Delta
			require.Error(t, d.Amend(fresh(), func(f *packed.Facts) { f.Key.Thumbprint, f.Persistent = bad, packed.Yes }))
			require.True(t, d.Empty(), "nothing was noted")
		})
	}
}

func TestFactsOfTwoRequestsMeet(t *testing.T) {
	var one, other packed.Delta
	g := amended(t, fresh(), func(f *packed.Facts) { f.Login = alice() })
	require.NoError(t, one.Amend(g, func(f *packed.Facts) { f.Key.Thumbprint = thumbprint }))
	require.NoError(t, other.Amend(g, func(f *packed.Facts) { f.Persistent = packed.Yes }))
	both := reread(t, reread(t, g.Apply(&one, nil)).Apply(&other, nil)).Facts()
	require.Equal(t, packed.Facts{Login: alice(), Key: packed.DeviceKey{Thumbprint: thumbprint}, Persistent: packed.Yes}, *both)
}

func TestExtensionsAndWhatALaterReleaseWroteAreKeptByteForByte(t *testing.T) {
	const known, later = packed.FirstExtension + 7, packed.FirstExtension - 1
	var d packed.Delta
	d.SetExtension(known, []byte("extension"))
	data, ok := d.Extension(fresh(), known)
	require.True(t, ok)
	require.Equal(t, "extension", string(data))
	g := packed.WithSection(fresh().Apply(&d, nil), later, []byte{0, 1, 2, 0xff})
	changed := reread(t, g).Apply(&packed.Delta{
		Values: map[string][]byte{"v": []byte("1")}, Tokens: map[string]string{"id": "a.b.c"},
		Tags: []packed.Tag{{Key: strings.Repeat("t", packed.TagSize), Foreign: packed.NoStamp}},
	}, nil)
	again := reread(t, amended(t, changed, func(f *packed.Facts) { f.Login = alice() }).IdleAt(9))
	data, ok = again.Extension(known)
	require.True(t, ok)
	require.Equal(t, "extension", string(data))
	data, ok = again.Extension(later)
	require.True(t, ok)
	require.Equal(t, []byte{0, 1, 2, 0xff}, data)
	require.Equal(t, alice(), again.Facts().Login, "control")
	require.Len(t, again.Tags, 1)

	var gone packed.Delta
	gone.SetExtension(known, nil)
	require.True(t, gone.Changes(again))
	_, ok = reread(t, again.Apply(&gone, nil)).Extension(known)
	require.False(t, ok)
	require.Panics(t, func() { gone.SetExtension(later, nil) }, "a kind of the package's own")
}

func TestFactsThatContradictThemselvesAreNoSession(t *testing.T) {
	good := amended(t, fresh(), func(f *packed.Facts) {
		f.Login, f.Persistent, f.Key.Thumbprint = alice(), packed.No, thumbprint
	})
	for kind := range uint64(packed.FirstExtension) {
		whole, there := good.Extension(kind)
		if !there {
			continue
		}
		for n := range len(whole) {
			plain, err := packed.WithSection(good, kind, whole[:n]).Pack()
			require.NoError(t, err)
			g, err := packed.Unpack(plain)
			if err == nil { // a key's registration deadline alone
				require.Empty(t, g.Facts().Key.Thumbprint, "kind %d cut after %d", kind, n)
				require.Equal(t, 1, n)
			}
		}
		plain, err := packed.WithSection(good, kind, append(whole[:len(whole):len(whole)], 0)).Pack()
		require.NoError(t, err)
		_, err = packed.Unpack(plain)
		require.Error(t, err, "kind %d with a byte too much", kind)
	}
}
