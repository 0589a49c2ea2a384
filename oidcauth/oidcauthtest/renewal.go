package oidcauthtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// withBoundCookies renews the bound cookies that a request lacks, and returns what the browser says
// in the request of those that it could not renew.
func (t *Tab) withBoundCookies(n *Navigation, u *url.URL) (skipped []string) {
	if n.own {
		return nil
	}
	for _, s := range t.browser.DeviceSessions() {
		if !s.covers(u) || !s.mayStart(n, u) {
			continue
		}
		if reason := t.renew(s, n, u); reason != "" {
			skipped = append(skipped, reason+`;session_identifier="`+strings.ReplaceAll(s.ID, `"`, `\"`)+`"`)
		}
	}
	return skipped
}

// hasCookie reports whether the browser has a cookie of this name for u.
func (b *Browser) hasCookie(u *url.URL, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	return slices.ContainsFunc(b.jar.cookies, func(c *cookie) bool { return c.name == name && c.matches(u) && !c.expired(now) })
}

// renew renews the cookie of s, unless it is there, and returns why that failed; "" also for a
// binding that has ended, of which browsers say nothing.
func (t *Tab) renew(s *DeviceSession, n *Navigation, u *url.URL) (reason string) {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	b := t.browser
	if b.hasCookie(u, s.Cookie) {
		return ""
	}
	if b.Now().Before(s.restUntil) {
		return "unreachable"
	}
	for range deviceRounds {
		header := http.Header{"Sec-Secure-Session-Id": {s.ID}}
		if challenge := b.takeChallenge(s); challenge != "" {
			if !b.mayDeviceSign() {
				return "quota_exceeded"
			}
			header.Set("Secure-Session-Response", s.Key.deviceProof(false, challenge, ""))
		}
		body, x := t.sendDevice(mustParse(s.RefreshURL), n, header)
		switch {
		case x.Err != nil:
			s.restUntil = b.Now().Add(deviceRest)
			return "unreachable"
		case x.Status/100 == 5:
			s.restUntil = b.Now().Add(deviceRest)
			return "server_error"
		case x.Status == http.StatusForbidden && fieldParameter(x.Answer.Get("Secure-Session-Challenge"), "id") == s.ID:
			continue
		case x.Status/100 != 2 || ended(body):
			b.endDeviceSession(s)
		}
		return ""
	}
	b.endDeviceSession(s)
	return ""
}

// takeChallenge returns the challenge that was sent for s, once.
func (b *Browser) takeChallenge(s *DeviceSession) (challenge string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	challenge, s.challenge = s.challenge, ""
	return challenge
}

// ended reports whether the answer to a renewal ends the binding.
func ended(body string) bool {
	var answer deviceAnswer
	return json.Unmarshal([]byte(body), &answer) == nil && answer.Continue != nil && !*answer.Continue
}

// endDeviceSession forgets a binding for good.
func (b *Browser) endDeviceSession(s *DeviceSession) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.device.sessions = slices.DeleteFunc(b.device.sessions, func(o *DeviceSession) bool { return o == s })
}

// mayDeviceSign counts a proof against the quota.
func (b *Browser) mayDeviceSign() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	b.device.signed = slices.DeleteFunc(b.device.signed, func(at time.Time) bool { return now.Sub(at) >= deviceWindow })
	if len(b.device.signed) >= deviceQuota {
		return false
	}
	b.device.signed = append(b.device.signed, now)
	return true
}

// sendDevice posts a request of the browser's own on behalf of n: a registration that its answer has
// asked for, or a renewal. It has the cookies that SameSite lets n have, and says all the same that
// it comes from the origin itself.
func (t *Tab) sendDevice(u *url.URL, n *Navigation, header http.Header) (string, Exchange) {
	return t.send(&Navigation{
		Method: http.MethodPost, URL: u.String(), mode: "no-cors", dest: "empty",
		from: &document{url: mustParse(originOf(u) + "/")}, header: header, own: true, behalf: n,
	}, u)
}

// deviceProof signs a proof; a registration brings the public key.
func (k *Key) deviceProof(register bool, challenge, authorization string) string {
	header, claims := object("alg", k.Alg, "typ", "dbsc+jwt"), object("jti", challenge)
	if register {
		jwk := k.JWK()
		jwk.Delete("alg", "use", "kid")
		header.Set("jwk", json.RawMessage(jwk.Bytes()))
	}
	if authorization != "" {
		claims.Set("authorization", authorization)
	}
	input := b64(header.Bytes()) + "." + b64(claims.Bytes())
	return input + "." + b64(k.Sign([]byte(input)))
}
