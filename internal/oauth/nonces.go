package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
)

const (
	maxNonces    = 256 // servers; beyond, the oldest nonce goes, and its server says it again
	maxNonceSize = 1024
	nonceLife    = 24 * time.Hour // servers change theirs within minutes
)

// Nonces remembers the latest DPoP nonce of each server (RFC 9449 §8.2). It is safe for concurrent
// use.
type Nonces struct {
	mu       sync.Mutex
	byServer expiring.Map[string, string]
}

// of returns the latest nonce of the server at u, "" when it gave none.
func (n *Nonces) of(u *url.URL) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	nonce, _ := n.byServer.Get(serverOf(u), time.Now())
	return nonce
}

// learn remembers and returns the nonce in an answer, "" when there is none or it has no valid
// syntax.
func (n *Nonces) learn(u *url.URL, header http.Header) string {
	values := header.Values("DPoP-Nonce")
	if len(values) != 1 || !validNonce(values[0]) {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.byServer.Limit = maxNonces
	n.byServer.Put(serverOf(u), values[0], 1, time.Now(), nonceLife)
	return values[0]
}

// serverOf names the server that a nonce belongs to.
func serverOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// validNonce holds RFC 9449 §8.1: nonce = 1*NQCHAR.
func validNonce(s string) bool {
	return s != "" && len(s) <= maxNonceSize && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// A sender is http.Client.Do or http.RoundTripper.RoundTrip.
type sender func(*http.Request) (*http.Response, error)

// A Retry is the permission to send a request once more for want of a nonce. Whoever serves one
// request of the application's has one of them, however often that request is sent for other
// reasons.
type Retry struct{ used bool }

func (r *Retry) take() bool {
	first := !r.used
	r.used = true
	return first
}

// Authorized sends r with an access token. With a key, it is sent as a DPoP token with a proof, and
// once more, if again permits it, when the server demands a nonce that it gave along (RFC 9449 §9);
// without, as a Bearer token (RFC 6750 §2.1). r is not changed, except that its body is read.
func (n *Nonces) Authorized(send sender, r *http.Request, key *jwt.ProofKey, accessToken string, again *Retry) (*http.Response, error) {
	if key == nil {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+accessToken)
		return send(r)
	}
	res, err := n.proven(send, r, key, accessToken, n.of(r.URL))
	if err != nil {
		return nil, err
	}
	nonce := n.learn(r.URL, res.Header)
	if nonce == "" || !wantsNonce(res) {
		return res, nil
	}
	repeated, ok := outbound.Rewound(r)
	if !ok || !again.take() {
		return res, nil
	}
	outbound.Discard(res)
	// The nonce of this very answer, not the latest one: other requests may have brought a newer
	// one for themselves.
	res, err = n.proven(send, repeated, key, accessToken, nonce)
	if err == nil {
		n.learn(r.URL, res.Header)
	}
	return res, err
}

// proven sends r once, with a proof.
func (n *Nonces) proven(send sender, r *http.Request, key *jwt.ProofKey, accessToken, nonce string) (*http.Response, error) {
	proof, err := key.Proof(r.Method, r.URL, accessToken, nonce)
	if err != nil {
		outbound.CloseBody(r) // as a RoundTripper must, also on errors
		return nil, fmt.Errorf("oidcauth: DPoP proof: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "DPoP "+accessToken)
	r.Header.Set("DPoP", proof)
	return send(r)
}

// wantsNonce reports whether a resource server refused a proof for want of a nonce (RFC 9449 §9).
// Schemes have no case.
func wantsNonce(res *http.Response) bool {
	if res.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, challenge := range res.Header.Values("WWW-Authenticate") {
		challenge = strings.ToLower(challenge)
		if strings.Contains(challenge, "dpop") && strings.Contains(challenge, "use_dpop_nonce") {
			return true
		}
	}
	return false
}
