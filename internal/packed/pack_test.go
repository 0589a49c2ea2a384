package packed_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/packed/reference"
)

// pack packs tokens and values into a packed.
func pack(tokens map[string]string, values map[string][]byte) ([]byte, error) {
	g := &packed.Generation{ID: "AAAA", Number: 1, Created: 1, Deadline: 2}
	return g.Apply(&packed.Delta{Values: values, Tokens: tokens}, nil).Pack()
}

// unpack reports whether plain is a session, and what tokens it holds.
func unpack(plain []byte) (tokens map[string]string, err error) {
	g, err := packed.Unpack(plain)
	if err != nil {
		return nil, err
	}
	return packed.Texts(g), nil
}

// repack reads plain and writes what it read.
func repack(plain []byte) ([]byte, error) {
	g, err := packed.Unpack(plain)
	if err != nil {
		return nil, err
	}
	return g.Pack()
}

func mustPack(t testing.TB, g *packed.Generation) []byte {
	plain, err := g.Pack()
	require.NoError(t, err)
	return plain
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestTokensOfAnyShapeComeBackByteForByte(t *testing.T) {
	header := encoded(`{"alg":"RS256"}`)
	rows := []struct{ name, token string }{
		{"a JWT", reference.S(1).ID},
		{"a JWT whose header has spaces", encoded(`{"alg" : "RS256"}`) + "." + encoded(`{ "sub" : "x" }`) + ".AQID"},
		{"a JWT with line breaks and tabs", encoded("{\r\n\t\"a\":1}") + "." + encoded("{}") + ".AQID"},
		{"a JWT with control characters, which is no JSON", header + "." + encoded("{\"a\":\"\x01\x02\x1f\"}") + ".AQID"},
		{"a JWT with bytes that are no UTF-8", header + "." + encoded("{\"a\":\"\xff\x00\"}") + ".AQID"},
		{"a JWT with names in many scripts", header + "." + encoded(`{"name":"Žofie Šťastná 山田太郎 🙂"}`) + ".AQID"},
		{"a JWT without signature", header + "." + encoded(`{"sub":"x"}`) + "."},
		{"a payload that is no object", header + "." + encoded(`"x"`) + ".AQID"},
		{"an empty payload (detached)", header + "..AQID"},
		{"base64 with bits that say nothing", header[:len(header)-1] + "x." + encoded(`{}`) + ".AB"},
		{"base64 with padding", header + "==." + encoded(`{}`) + ".AQID"},
		{"base64 with a line break", header + "\n." + encoded(`{}`) + ".AQID"},
		{"the standard alphabet", header + "." + "e30/+w" + ".AQID"},
		{"an encrypted token", header + ".AQID.AQID.AQID.AQID"},
		{"two dots", ".."},
		{"a million dots, almost", strings.Repeat(".", 5000)},
		{"opaque", "0.AXoA-opaque_token~with/odd+characters=="},
		{"opaque and long", "1." + strings.Repeat("Aa0-_", 279)},
		{"one character", "x"},
		{"not ASCII", "žeton"},
		{"UUIDs", header + "." + encoded(`{"a":"9ecea40c-107c-408a-ae24-ce5798c1fe61","b":"9ECEA40C-107C-408A-AE24-CE5798C1FE61","c":"x9ecea40c-107c-408a-ae24-ce5798c1fe61y"}`) + ".AQID"},
		{"hex", header + "." + encoded(`{"a":"`+strings.Repeat("0123456789abcdef", 4)+`","b":"`+strings.Repeat("0123456789ABCDEF", 4)+`"}`) + ".AQID"},
		{"more random values than symbols", header + "." + encoded(manyIDs(40)) + ".AQID"},
		{"random values with a tail", header + "." + encoded(`{"a":"Ab3dEf6hIj9lMn2pQr5tV","b":"Ab3dEf6hIj9lMn2pQr5tVw","c":"Ab3dEf6hIj9lMn2pQr5tVwx"}`) + ".AQID"},
		{"claims beyond the bound", header + "." + encoded(`{"a":"`+strings.Repeat("x", packed.MaxClaims)+`"}`) + ".AQID"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			plain, err := pack(map[string]string{"a": row.token, "b": reference.S(2).ID}, nil)
			require.NoError(t, err)
			tokens, err := unpack(plain)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": row.token, "b": reference.S(2).ID}, tokens)
			again, err := repack(plain)
			require.NoError(t, err)
			require.Equal(t, plain, again)
			g, err := packed.Unpack(plain)
			require.NoError(t, err)
			want, isJWT := packed.ClaimsIn(row.token)
			claims, ok := g.Claims("a")
			require.Equal(t, isJWT, ok)
			if ok {
				require.Equal(t, string(want), string(claims))
			}
			other, ok := g.Claims("b")
			require.True(t, ok)
			require.Contains(t, string(other), `"preferred_username"`)
		})
	}
}

func manyIDs(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"%d":"%08x-107c-408a-ae24-ce5798c1fe61"`, i, i)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestLengthIsPadded(t *testing.T) {
	lengths := map[int]bool{}
	for n := range 200 {
		plain, err := pack(nil, map[string][]byte{"v": make([]byte, n)})
		require.NoError(t, err)
		require.Zero(t, len(plain)%packed.PadTo)
		lengths[len(plain)] = true
	}
	require.LessOrEqual(t, len(lengths), 200/packed.PadTo+2)
}

// A value's content must not show in the length of the cookie, whatever it has in common with the
// tokens beside it.
func TestLengthDoesNotDependOnWhatAValueHasInCommonWithTheTokens(t *testing.T) {
	set := reference.S(1)
	tokens := map[string]string{"id": set.ID, "refresh": "a-secret-refresh-token-0123456789"}
	alike, err := pack(tokens, map[string][]byte{"v": []byte(`"preferred_username":"a-secret-refresh-token-0123456789"`)})
	require.NoError(t, err)
	unlike, err := pack(tokens, map[string][]byte{"v": []byte(strings.Repeat("#", 56))})
	require.NoError(t, err)
	require.Equal(t, len(unlike), len(alike))
	opaque := map[string]string{"id": set.ID, "refresh": strings.Repeat("#", 33)}
	other, err := pack(opaque, nil)
	require.NoError(t, err)
	same, err := pack(tokens, nil)
	require.NoError(t, err)
	require.InDelta(t, len(same), len(other), packed.PadTo)
}

func TestClaimsThatExplodeYieldNoTokenAndLittleMemory(t *testing.T) {
	rows := []struct {
		name  string
		plain []byte
	}{
		{"more than was announced", packed.PackStream(10, bytes.Repeat([]byte("x"), 10<<20), 0)},
		{"less than was announced", packed.PackStream(100, []byte("{}"), 0)},
		{"an announcement beyond the bound", packed.PackStream(10<<20, bytes.Repeat([]byte("x"), 10<<20), 0)},
		{"few symbols that stand for much", packed.PackStream(60_001, append(bytes.Repeat([]byte{1}, 60_000), 0), 1)},
		{"a symbol that stands for nothing", packed.PackStream(4, []byte{'{', 2, '}', 0}, 1)},
		{"claims without an end", packed.PackStream(3, []byte{'{', 1, '}'}, 1)},
		{"claims that are nobody's", packed.PackStream(8, []byte{'{', 1, '}', 0, '{', 1, '}', 0}, 1)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			tokens, err := unpack(row.plain)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Empty(t, tokens)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
	tokens, err := unpack(packed.PackStream(4, []byte{'{', 1, '}', 0}, 1))
	require.NoError(t, err)
	require.NotEmpty(t, tokens, "control")
}

func TestCutOrAlteredFormsAreRefused(t *testing.T) {
	set := reference.S(1)
	plain, err := pack(map[string]string{"id": set.ID, "access": set.Access}, map[string][]byte{"v": []byte("1")})
	require.NoError(t, err)
	for n := range len(plain) {
		if n > len(plain)-packed.PadTo && bytes.Equal(plain[n:], make([]byte, len(plain)-n)) {
			break // only padding is missing
		}
		_, err := unpack(plain[:n])
		require.Error(t, err, "cut after %d", n)
	}
	for i, bad := range [][]byte{append(bytes.Clone(plain), make([]byte, 64)...), append(bytes.Clone(plain[:len(plain)-1]), 1), {0}, {2, 1, 1}, {}, nil} {
		_, err := unpack(bad)
		require.Error(t, err, "%d", i)
	}
}

func FuzzUnpack(f *testing.F) {
	for seed := range uint64(2) {
		set := reference.S(seed)
		plain, err := pack(map[string]string{"id": set.ID, "refresh": set.Refresh}, map[string][]byte{"v": []byte("1")})
		require.NoError(f, err)
		f.Add(plain)
	}
	f.Add(packed.PackStream(60_000, bytes.Repeat([]byte{1}, 60_000), 28))
	for _, g := range vectors(f) {
		f.Add(mustPack(f, packed.WithSection(g, packed.FirstExtension-1, []byte{1})))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		tokens, err := unpack(plain)
		if err != nil {
			return
		}
		total := 0
		for _, text := range tokens {
			total += len(text)
		}
		require.LessOrEqual(t, total, 2*(packed.MaxClaims+len(plain)), "bounded, whatever it says")
		read, err := packed.Unpack(plain)
		require.NoError(t, err)
		again, err := packed.Unpack(mustPack(t, read))
		require.NoError(t, err)
		require.Equal(t, contentOf(read), contentOf(again))
		require.Equal(t, mustPack(t, read), mustPack(t, again), "whatever it holds is kept")
	})
}

func FuzzTokenText(f *testing.F) {
	f.Add(reference.S(1).ID)
	f.Add("a.b.c")
	f.Add(encoded(`{"a":"9ecea40c-107c-408a-ae24-ce5798c1fe61"}`) + "." + encoded("{\x01}") + ".")
	f.Fuzz(func(t *testing.T, token string) {
		if token == "" {
			return
		}
		plain, err := pack(map[string]string{"a": token}, nil)
		require.NoError(t, err)
		if len(plain) > 200_000 {
			return
		}
		tokens, err := unpack(plain)
		require.NoError(t, err)
		require.Equal(t, token, tokens["a"])
	})
}

func TestRandomTokensComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte(`abcXYZ019-_.{}":, ` + "\x01\x1f\xff")
	for range 2000 {
		part := func() string {
			b := make([]byte, r.IntN(60))
			for i := range b {
				b[i] = alphabet[r.IntN(len(alphabet))]
			}
			return string(b)
		}
		token := encoded("{"+part()+"}") + "." + encoded("{"+part()+"}") + "." + part() + "!"
		plain, err := pack(map[string]string{"a": token}, nil)
		require.NoError(t, err)
		tokens, err := unpack(plain)
		require.NoError(t, err)
		require.Equal(t, token, tokens["a"])
	}
}
