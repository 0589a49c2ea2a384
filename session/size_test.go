package session_test

import (
	"encoding/base64"
	"encoding/binary"
	"testing"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// cookieBytes is what a session with set takes on the wire: names and values of all its cookies.
func cookieBytes(t testing.TB, set tokenSet) (bytes, cookies int) {
	b := newBrowser(t, newManager(t, session.Config{}))
	b.with(func(s *session.Session) { set.keep(t, s) })
	b.with(func(s *session.Session) {
		for name, want := range map[string]string{"id_token": set.ID, "access_token": set.Access, "refresh_token": set.Refresh} {
			got, _ := s.Token(name)
			require.Equal(t, want, got)
		}
	})
	for name, value := range b.cookies {
		bytes += len(name) + 1 + len(value)
	}
	return bytes, len(b.cookies)
}

func TestCookieSizesMeetTheTargets(t *testing.T) {
	for seed := range uint64(40) {
		bytes, cookies := cookieBytes(t, setS(seed))
		require.LessOrEqual(t, bytes, 1550, "S, seed %d", seed)
		require.Equal(t, 1, cookies)
		bytes, cookies = cookieBytes(t, setL(seed))
		require.LessOrEqual(t, bytes, 3600, "L, seed %d", seed)
		require.Equal(t, 1, cookies)
		set := setUnseen(seed)
		bytes, _ = cookieBytes(t, set)
		require.LessOrEqual(t, float64(bytes), 0.6*float64(oauth2ProxyBytes(set)), "unseen, seed %d", seed)
	}
}

func TestOAuth2ProxyEstimateAgreesWithWhatWasMeasured(t *testing.T) {
	require.InEpsilon(t, 3283, oauth2ProxyBytes(setS(1)), 0.07)
	require.InEpsilon(t, 6958, oauth2ProxyBytes(setL(1)), 0.07)
}

// oauth2ProxyBytes is what the same tokens take in oauth2-proxy's cookie: MessagePack, LZ4, AES
// with an IV of 16 bytes, base64, then a time and a signature.
func oauth2ProxyBytes(set tokenSet) int {
	const mapHead, perToken, times, user, lz4Frame = 1, 3 + 3, 2 * 13, 36 + 26 + 14 + 4*4, 19
	packed := make([]byte, mapHead+times+user) // counted as if they did not compress
	binary.BigEndian.PutUint64(packed, 0)
	var text []byte
	for _, token := range []string{set.Access, set.ID, set.Refresh} {
		text = append(append(text, make([]byte, perToken)...), token...)
	}
	sealed := 16 + lz4Frame + len(packed) + lz4Size(text)
	return len("_oauth2_proxy=") + base64.URLEncoding.EncodedLen(sealed) + len("|1767280200|") + 44
}

// lz4Size is the size of an LZ4 block as github.com/pierrec/lz4, which oauth2-proxy uses, makes it:
// greedy matches, found by a hash of six bytes, with strides that grow where nothing is found.
func lz4Size(src []byte) (size int) {
	const hashed, tail = 6, 12
	length := func(n int) int { // bytes beyond the nibble in the token
		if n < 15 {
			return 0
		}
		return 1 + (n-15)/255
	}
	seen := map[string]int{}
	anchor := 0
	for i := 0; i < len(src)-tail; {
		key := string(src[i : i+hashed])
		at, found := seen[key]
		seen[key] = i
		if !found {
			i += 1 + (i-anchor)>>7
			continue
		}
		for i > anchor && at > 0 && src[i-1] == src[at-1] {
			i, at = i-1, at-1
		}
		n := 0
		for i+n < len(src)-5 && src[at+n] == src[i+n] {
			n++
		}
		literals := i - anchor
		size += 1 + length(literals) + literals + 2 + length(n-4)
		i += n
		anchor = i
	}
	literals := len(src) - anchor
	return size + 1 + length(literals) + literals
}

func BenchmarkCookieBytes(b *testing.B) {
	sets := map[string]func(uint64) tokenSet{"S": setS, "L": setL, "unseen": setUnseen}
	for _, name := range []string{"S", "L", "unseen"} {
		b.Run(name, func(b *testing.B) {
			const seeds = 20
			var ours, theirs, tokens int
			for seed := range uint64(seeds) {
				set := sets[name](seed)
				n, _ := cookieBytes(b, set)
				ours, theirs, tokens = ours+n, theirs+oauth2ProxyBytes(set), tokens+set.bytes()
			}
			for b.Loop() {
			}
			b.ReportMetric(float64(ours)/seeds, "cookie-B")
			b.ReportMetric(float64(ours)/float64(tokens), "B/token-B")
			b.ReportMetric(float64(ours)/float64(theirs), "x-oauth2-proxy")
			b.ReportMetric(0, "ns/op")
		})
	}
}
