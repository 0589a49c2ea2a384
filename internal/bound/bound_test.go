package bound_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/seal"
)

func newRing(t testing.TB, keys ...string) *seal.Keyring {
	t.Helper()
	if keys == nil {
		keys = []string{seal.NewKey()}
	}
	ring, err := seal.NewKeyring(keys)
	require.NoError(t, err)
	return ring
}

var binding = bound.Binding{Session: "id", Thumbprint: "print"}

func TestChallengeIsForOnePurposeSessionAndKeyAndOneMinute(t *testing.T) {
	ring, now := newRing(t), time.Now()
	s := bound.New(ring, "c")
	text, err := s.Challenge(bound.Renewal, binding, now)
	require.NoError(t, err)
	require.NoError(t, s.CheckChallenge(bound.Renewal, binding, text, now))
	require.NoError(t, s.CheckChallenge(bound.Renewal, binding, text, now.Add(bound.ChallengeLife-time.Second)))
	require.NoError(t, bound.New(ring, "c").CheckChallenge(bound.Renewal, binding, text, now), "another replica")
	require.ErrorIs(t, s.CheckChallenge(bound.Renewal, binding, text, now.Add(bound.ChallengeLife+time.Second)), bound.ErrStale)
	require.ErrorIs(t, s.CheckChallenge(bound.Renewal, binding, text, now.Add(-time.Hour)), bound.ErrStale, "of a clock that was ahead")
	cookie, err := s.Cookie(binding, now)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"another purpose": s.CheckChallenge(bound.Registration, binding, text, now),
		"another session": s.CheckChallenge(bound.Renewal, bound.Binding{Session: "other", Thumbprint: "print"}, text, now),
		"another key":     s.CheckChallenge(bound.Renewal, bound.Binding{Session: "id"}, text, now),
		"another cookie":  bound.New(ring, "d").CheckChallenge(bound.Renewal, binding, text, now),
		"other keys":      bound.New(newRing(t), "c").CheckChallenge(bound.Renewal, binding, text, now),
		"a bound cookie":  s.CheckChallenge(bound.Renewal, binding, cookie, now),
		"altered":         s.CheckChallenge(bound.Renewal, binding, "x"+text[1:], now),
		"nothing":         s.CheckChallenge(bound.Renewal, binding, "", now),
	} {
		require.ErrorIs(t, err, bound.ErrChallenge, name)
	}
	again, err := s.Challenge(bound.Renewal, binding, now)
	require.NoError(t, err)
	require.NotEqual(t, text, again)
}

func TestBoundCookieIsOfOneSessionAndKeyUntilItsEnd(t *testing.T) {
	ring, now := newRing(t), time.Now()
	s := bound.New(ring, "c")
	value, err := s.Cookie(binding, now.Add(10*time.Minute))
	require.NoError(t, err)
	require.NoError(t, (&http.Cookie{Name: "c", Value: value}).Valid())
	until, err := s.CheckCookie(binding, value, now)
	require.NoError(t, err)
	require.WithinDuration(t, now.Add(11*time.Minute), until, time.Millisecond)
	_, err = s.CheckCookie(binding, value, now.Add(10*time.Minute+bound.Grace-time.Second))
	require.NoError(t, err, "a minute of grace")
	check := func(s *bound.Seals, b bound.Binding, value string, now time.Time) error {
		_, err := s.CheckCookie(b, value, now)
		return err
	}
	challenge, err := s.Challenge(bound.Renewal, binding, now)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"past its end":    check(s, binding, value, now.Add(10*time.Minute+bound.Grace+time.Second)),
		"another session": check(s, bound.Binding{Session: "other", Thumbprint: "print"}, value, now),
		"another key":     check(s, bound.Binding{Session: "id", Thumbprint: "other"}, value, now),
		"no key":          check(s, bound.Binding{Session: "id"}, value, now),
		"another cookie":  check(bound.New(ring, "d"), binding, value, now),
		"other keys":      check(bound.New(newRing(t), "c"), binding, value, now),
		"a challenge":     check(s, binding, challenge, now),
		"nothing":         check(s, binding, "", now),
	} {
		require.ErrorIs(t, err, bound.ErrCookie, name)
	}
}

func TestStartNamesASessionForAMinute(t *testing.T) {
	ring, now := newRing(t), time.Now()
	s := bound.New(ring, "c")
	value, err := s.Start("id", now)
	require.NoError(t, err)
	require.Equal(t, "id", s.StartOf(value, now.Add(59*time.Second)))
	require.Empty(t, s.StartOf(value, now.Add(61*time.Second)))
	require.Empty(t, bound.New(ring, "d").StartOf(value, now))
	require.Empty(t, bound.New(newRing(t), "c").StartOf(value, now))
	cookie, err := s.Cookie(binding, now.Add(time.Hour))
	require.NoError(t, err)
	for _, other := range []string{"", "x", cookie, "x" + value[1:]} {
		require.Empty(t, s.StartOf(other, now))
	}
}

func TestIdentifierHoldsSessionAndKey(t *testing.T) {
	first, second := seal.NewKey(), seal.NewKey()
	ring := newRing(t, first)
	s := bound.New(ring, "c")
	for name, d := range map[string]device{"ES256": ecDevice(t), "RS256": rsaDevice(t, 2048), "RS256, as long as may be": rsaDevice(t, 4096)} {
		t.Run(name, func(t *testing.T) {
			p, err := bound.ParseProof(d.registration(t, "c"))
			require.NoError(t, err)
			key, err := p.Register()
			require.NoError(t, err)
			text, err := s.Identifier(bound.Identifier{Session: []byte("what package session packs"), Key: key})
			require.NoError(t, err)
			require.NotContains(t, text, `"`)
			got, keyID, err := s.OpenIdentifier(text)
			require.NoError(t, err)
			require.Equal(t, ring.IDs()[0], keyID)
			require.Equal(t, "what package session packs", string(got.Session))
			require.Equal(t, key.Thumbprint(), got.Key.Thumbprint())
			renewal, err := bound.ParseProof(d.renewal(t, "c"))
			require.NoError(t, err)
			require.NoError(t, renewal.SignedBy(got.Key))

			rotated := bound.New(newRing(t, second, first), "c")
			_, keyID, err = rotated.OpenIdentifier(text)
			require.NoError(t, err)
			require.Equal(t, ring.IDs()[0], keyID, "it tells that the old key is still in use")
			for _, other := range []*bound.Seals{bound.New(newRing(t, second), "c"), bound.New(ring, "d")} {
				_, _, err = other.OpenIdentifier(text)
				require.ErrorIs(t, err, bound.ErrIdentifier)
			}
		})
	}
	cookie, err := s.Cookie(binding, time.Now())
	require.NoError(t, err)
	for _, text := range []string{"", "x", cookie, strings.Repeat("x", 5<<10)} {
		_, _, err := s.OpenIdentifier(text)
		require.ErrorIs(t, err, bound.ErrIdentifier)
	}
}

func TestHeaders(t *testing.T) {
	h := http.Header{}
	bound.SetRegistration(h, "/auth/device/start", "ch")
	require.Equal(t, `(ES256 RS256);path="/auth/device/start";challenge="ch"`, h.Get("Secure-Session-Registration"), "Chromium takes the first algorithm")
	require.True(t, bound.Invited(h, "/auth/device/start"))
	require.False(t, bound.Invited(h, "/auth/device"))
	bound.SetChallenge(h, `an "id"`, "ch")
	require.Equal(t, `"ch";id="an \"id\""`, h.Get("Secure-Session-Challenge"))

	for name, row := range map[string]struct {
		values []string
		want   string
	}{
		"plain":            {[]string{"a.b.c"}, "a.b.c"},
		"a string":         {[]string{`"a.b.c"`}, "a.b.c"},
		"spaces around it": {[]string{` a.b.c `}, "a.b.c"},
		"none":             {nil, ""},
		"two":              {[]string{"a", "b"}, ""},
		"half a string":    {[]string{`"a`}, ""},
		"two strings":      {[]string{`"a", "b"`}, ""},
	} {
		require.Equal(t, row.want, bound.ResponseIn(http.Header{"Secure-Session-Response": row.values}), name)
		require.Equal(t, row.want, bound.IdentifierIn(http.Header{"Sec-Secure-Session-Id": row.values}), name)
	}
}

func TestSkips(t *testing.T) {
	for name, row := range map[string]struct {
		values []string
		want   []bound.Skip
	}{
		"none":              {nil, nil},
		"as Chromium says":  {[]string{`quota_exceeded;session_identifier="a|b="`}, []bound.Skip{{"quota_exceeded", "a|b="}}},
		"without a session": {[]string{`unreachable`}, []bound.Skip{{"unreachable", ""}}},
		"two in a line":     {[]string{`unreachable;session_identifier="a,b;c", server_error`}, []bound.Skip{{"unreachable", "a,b;c"}, {"server_error", ""}}},
		"two lines":         {[]string{`unreachable`, `server_error`}, []bound.Skip{{"unreachable", ""}, {"server_error", ""}}},
		"garbage":           {[]string{`";;;`}, []bound.Skip{{`";;;`, ""}}},
	} {
		require.Equal(t, row.want, bound.SkipsIn(http.Header{"Secure-Session-Skipped": row.values}), name)
	}
	require.Len(t, bound.SkipsIn(http.Header{"Secure-Session-Skipped": {strings.Repeat("a,", 1000)}}), 8)
}

func FuzzHeaders(f *testing.F) {
	f.Add(`quota_exceeded;session_identifier="a"`)
	f.Add(`"a", b;session_identifier=`)
	s := bound.New(newRing(f), "c")
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Secure-Session-Skipped": {value}, "Sec-Secure-Session-Id": {value}}
		require.LessOrEqual(t, len(bound.SkipsIn(h)), 8)
		_, _, err := s.OpenIdentifier(bound.IdentifierIn(h))
		require.Error(t, err)
	})
}
