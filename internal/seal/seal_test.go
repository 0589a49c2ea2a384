package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

func newRing(t testing.TB, keys ...string) *seal.Keyring {
	t.Helper()
	if len(keys) == 0 {
		keys = []string{seal.NewKey()}
	}
	ring, err := seal.NewKeyring(keys)
	require.NoError(t, err)
	return ring
}

func TestKeysAreRefusedUnlessTheyAreRandom32Bytes(t *testing.T) {
	good := seal.NewKey()
	repeated := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	rows := []struct {
		name string
		keys []string
		says []string // "" for a good list
	}{
		{"a good key is taken", []string{good}, nil},
		{"two good keys are taken", []string{good, seal.NewKey()}, nil},
		{"the URL alphabet is taken", []string{strings.NewReplacer("+", "-", "/", "_").Replace(good)}, nil},
		{"padding may be missing", []string{strings.TrimRight(good, "=")}, nil},
		{"no keys", nil, []string{"no keys"}},
		{"an empty key", []string{""}, []string{"0 bytes, want 32"}},
		{"a short key", []string{base64.StdEncoding.EncodeToString([]byte("abcde"))}, []string{"5 bytes, want 32"}},
		{"a word", []string{"secret!"}, []string{"not base64"}},
		{"zeros", []string{base64.StdEncoding.EncodeToString(make([]byte, 32))}, []string{"one repeated byte"}},
		{"one byte repeated", []string{repeated}, []string{"one repeated byte"}},
		{"a key twice", []string{good, good}, []string{"key 2 of 2 repeats key 1"}},
		{"every mistake is named", []string{"?", good, repeated, good}, []string{"key 1 of 4", "key 3 of 4", "key 4 of 4 repeats key 2"}},
		{"a line break inside", []string{good[:10] + "\n" + good[10:]}, []string{"not base64"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := seal.NewKeyring(row.keys)
			if row.says == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range row.says {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), good, "an error must not quote a key")
		})
	}
}

func TestSealedValuesOpenAgain(t *testing.T) {
	s := newRing(t).Sealer("p")
	for n := 1; n < 300; n++ {
		plain := bytes.Repeat([]byte{byte(n)}, n)
		before := bytes.Clone(plain)
		text, err := s.Seal("name", plain)
		require.NoError(t, err)
		require.Equal(t, before, plain, "the caller's bytes are not touched")
		require.Len(t, text, seal.SealedLen(n))
		require.NoError(t, (&http.Cookie{Name: "c", Value: text}).Valid(), "cookie-safe")
		got, newest, err := s.Open("name", text)
		require.NoError(t, err)
		require.True(t, newest)
		require.Equal(t, before, got)
	}
	_, err := s.Seal("name", nil)
	require.Error(t, err)
}

func TestTheSealIsGCMOfTheStandardLibrary(t *testing.T) {
	secret := bytes.Repeat([]byte{1, 2}, 16)
	text, err := newRing(t, base64.StdEncoding.EncodeToString(secret)).Sealer("p").Seal("name", []byte("plain"))
	require.NoError(t, err)
	key, err := hkdf.Key(sha256.New, secret, nil, "signet seal 1 p", 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	sealed, err := base64.RawURLEncoding.DecodeString(text[7:])
	require.NoError(t, err)
	plain, err := aead.Open(nil, sealed[:12], sealed[12:], []byte("name"))
	require.NoError(t, err)
	require.Equal(t, "plain", string(plain))
	other, err := newRing(t, base64.StdEncoding.EncodeToString(secret)).Sealer("p").Seal("name", []byte("plain"))
	require.NoError(t, err)
	require.NotEqual(t, text, other, "a nonce of its own")
}

func TestWhatIsNoTextIsNotOpenedAsText(t *testing.T) {
	s := newRing(t).Sealer("p")
	text, err := s.Seal("name", []byte("plain"))
	require.NoError(t, err)
	sealed := s.SealBytes("name", []byte("plain"))
	_, _, err = s.Open("name", string(sealed))
	require.ErrorIs(t, err, seal.ErrOpen)
	_, _, err = s.OpenBytes("name", []byte(text))
	require.ErrorIs(t, err, seal.ErrOpen)
	for n := range sealed {
		_, _, err = s.OpenBytes("name", sealed[:n])
		require.ErrorIs(t, err, seal.ErrOpen, "cut after %d", n)
	}
	before := bytes.Clone(sealed)
	plain, newest, err := s.OpenBytes("name", sealed)
	require.NoError(t, err)
	require.True(t, newest)
	require.Equal(t, "plain", string(plain))
	require.Equal(t, before, sealed, "what is opened stays as it is")
}

func TestValueOpensOnlyWhereItWasSealed(t *testing.T) {
	key := seal.NewKey()
	ring, other := newRing(t, key), newRing(t)
	text, err := ring.Sealer("p").Seal("name", []byte("plain"))
	require.NoError(t, err)
	_, _, err = ring.Sealer("p").Open("other name", text)
	require.ErrorIs(t, err, seal.ErrOpen)
	require.NotErrorIs(t, err, seal.ErrUnknownKey)
	_, _, err = ring.Sealer("q").Open("name", text)
	require.ErrorIs(t, err, seal.ErrOpen)
	_, _, err = other.Sealer("p").Open("name", text)
	require.ErrorIs(t, err, seal.ErrUnknownKey)
	require.ErrorIs(t, err, seal.ErrOpen)
	_, _, err = newRing(t, key).Sealer("p").Open("name", text)
	require.NoError(t, err, "another process with the same key")
}

func TestEveryAlteredByteIsNoticed(t *testing.T) {
	s := newRing(t).Sealer("p")
	text, err := s.Seal("name", []byte("plain"))
	require.NoError(t, err)
	for i := range len(text) {
		for _, flip := range []byte{1, 2, 3, 4, 8, 16, 32, 64, 128} {
			altered := []byte(text)
			altered[i] ^= flip
			_, _, err := s.Open("name", string(altered))
			require.ErrorIs(t, err, seal.ErrOpen, "byte %d, bits %d", i, flip)
		}
		_, _, err := s.Open("name", text[:i])
		require.ErrorIs(t, err, seal.ErrOpen, "cut after %d", i)
		_, _, err = s.Open("name", text[:i]+"\n"+text[i:])
		require.ErrorIs(t, err, seal.ErrOpen, "line break at %d", i)
	}
}

// The last character has bits to spare. A value has one spelling all the same.
func TestSpareBitsAreNoSecondSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := newRing(t).Sealer("p")
	text, err := s.Seal("name", []byte("plain!!")) // 35 bytes
	require.NoError(t, err)
	last := strings.IndexByte(alphabet, text[len(text)-1])
	require.Zero(t, last%4)
	for spare := 1; spare < 4; spare++ {
		_, _, err := s.Open("name", text[:len(text)-1]+alphabet[last+spare:last+spare+1])
		require.ErrorIs(t, err, seal.ErrOpen)
	}
}

func TestNewerFormatIsToldFromGarbage(t *testing.T) {
	s := newRing(t).Sealer("p")
	text, err := s.Seal("name", []byte("plain"))
	require.NoError(t, err)
	_, _, err = s.Open("name", "2"+text[1:])
	require.ErrorIs(t, err, seal.ErrNewerFormat)
	require.ErrorIs(t, err, seal.ErrUnknownKey)
	_, _, err = s.Open("name", "2 of any form")
	require.ErrorIs(t, err, seal.ErrNewerFormat)
	for _, garbage := range []string{strings.Repeat("x", 200), "1" + strings.Repeat("|", 200), "1xxxxxx"} {
		_, _, err = s.Open("name", garbage)
		require.ErrorIs(t, err, seal.ErrOpen)
		require.NotErrorIs(t, err, seal.ErrUnknownKey)
	}
}

func TestRotation(t *testing.T) {
	first, second := seal.NewKey(), seal.NewKey()
	ring := newRing(t, first)
	s := ring.Sealer("p")
	old, err := s.Seal("", []byte("plain"))
	require.NoError(t, err)

	generation := ring.Generation()
	require.Error(t, ring.Set([]string{"bad"}))
	require.Equal(t, generation, ring.Generation(), "on error nothing changes")
	require.NoError(t, ring.Set([]string{second, first}))
	require.NotEqual(t, generation, ring.Generation())

	_, newest, err := s.Open("", old)
	require.NoError(t, err)
	require.False(t, newest, "to be sealed again")
	fresh, err := s.Seal("", []byte("plain"))
	require.NoError(t, err)
	require.Equal(t, ring.IDs(), []string{seal.KeyID(fresh), seal.KeyID(old)})

	otherOrder := newRing(t, first, second).Sealer("p")
	_, newest, err = otherOrder.Open("", fresh)
	require.NoError(t, err)
	require.False(t, newest)

	require.NoError(t, ring.Set([]string{second}))
	_, _, err = s.Open("", old)
	require.ErrorIs(t, err, seal.ErrUnknownKey)
}

func TestConcurrentUseWhileKeysChange(t *testing.T) {
	first, second := seal.NewKey(), seal.NewKey()
	ring := newRing(t, first, second)
	s := ring.Sealer("p")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 200 {
				text, err := s.Seal("c", []byte("plain"))
				require.NoError(t, err)
				_, _, err = s.Open("c", text)
				require.NoError(t, err)
				if i == 0 {
					require.NoError(t, ring.Set([]string{second, first}))
				}
			}
		})
	}
	all.Wait()
}

func TestVaultRows(t *testing.T) {
	store := session.NewMemoryStore()
	ring := newRing(t)
	v, ctx := ring.Vault(store, "p"), t.Context()
	require.Nil(t, ring.Vault(nil, "p"))

	ok, err := v.Add(ctx, "a", []byte("plain value"), time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, v.Set(ctx, "empty", nil, time.Minute))
	rows, err := v.Get(ctx, "a", "absent", "empty")
	require.NoError(t, err)
	require.Equal(t, "plain value", string(rows[0].Value))
	require.True(t, rows[0].Newest)
	require.Equal(t, seal.Row{}, rows[1])
	require.NotNil(t, rows[2].Value, "present, and empty")
	require.NotContains(t, string(rows[0].Raw), "plain")

	ok, err = v.Swap(ctx, "a", []byte("other"), []byte("2"), time.Minute)
	require.NoError(t, err)
	require.False(t, ok)
	ok, err = v.Swap(ctx, "a", rows[0].Raw, []byte("2"), time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = v.Delete(ctx, "a", rows[0].Raw)
	require.NoError(t, err)
	require.False(t, ok, "it holds 2 now")
	ok, err = v.Delete(ctx, "a", nil)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestCopiedRowDoesNotOpenElsewhere(t *testing.T) {
	store := session.NewMemoryStore()
	ring, ctx := newRing(t), t.Context()
	v, other := ring.Vault(store, "p"), ring.Vault(store, "q")
	require.NoError(t, v.Set(ctx, "victim", []byte("1"), time.Minute))
	rows, err := v.Get(ctx, "victim")
	require.NoError(t, err)
	require.NoError(t, store.Set(ctx, v.Name("attacker"), rows[0].Raw, time.Minute))
	require.NoError(t, store.Set(ctx, other.Name("victim"), rows[0].Raw, time.Minute))
	for _, vault := range []*seal.Vault{v, other} {
		for _, key := range []string{"attacker", "victim"} {
			rows, err := vault.Get(ctx, key)
			require.NoError(t, err)
			require.Equal(t, vault == v && key == "victim", rows[0].Value != nil, "purpose and key are bound")
		}
	}
}

func TestRowNamesSurviveRotationAndCarryNoCharactersOfTheKey(t *testing.T) {
	first := seal.NewKey()
	ring := newRing(t, first)
	v := ring.Vault(session.NewMemoryStore(), "p")
	name := v.Name("../*\r\nDEL x")
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, name)
	require.NoError(t, ring.Set([]string{seal.NewKey(), first}))
	require.Equal(t, name, v.Name("../*\r\nDEL x"))
	require.NotEqual(t, ring.Vault(session.NewMemoryStore(), "p2").Name("x"), ring.Vault(session.NewMemoryStore(), "p").Name("2x"))
}

func FuzzOpen(f *testing.F) {
	s := newRing(f).Sealer("p")
	text, err := s.Seal("c", []byte("plain"))
	require.NoError(f, err)
	f.Add(text)
	f.Add(text[:50] + "|" + text[50:])
	f.Add("1aaaaaa|||")
	f.Add(fmt.Sprintf("2%s", text[1:]))
	f.Fuzz(func(t *testing.T, sealed string) {
		plain, _, err := s.Open("c", sealed)
		if err == nil {
			require.Equal(t, text, sealed, "nothing opens but what was sealed")
			require.Equal(t, "plain", string(plain))
		}
	})
}
