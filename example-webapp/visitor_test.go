package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A visitor is a user of a fleet with a browser's cookies. Unlike a browser it does many things at once, and reports what goes
// wrong instead of ending the test, so that it may run in goroutines.
type visitor struct {
	name   string
	fleet  *fleet
	jar    http.CookieJar
	client *http.Client
}

// newVisitor returns a visitor without a session.
func (f *fleet) newVisitor(name string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no way to fail
	}
	return &visitor{name: name, fleet: f, jar: jar, client: &http.Client{Jar: jar, Transport: f.transport, Timeout: time.Minute}}
}

// signedIn returns so many visitors, each signed in.
func (f *fleet) signedIn(t *testing.T, count int) []*visitor {
	t.Helper()
	visitors := make([]*visitor, count)
	for i := range visitors {
		visitors[i] = f.newVisitor(userName(i))
	}
	require.NoError(t, together(count, func(i int) error { return visitors[i].signIn() }))
	return visitors
}

// signIn goes through the provider's form.
func (v *visitor) signIn() error {
	form, at, err := v.page(http.MethodGet, v.fleet.base(0)+"/auth/login?return_to=/", nil)
	if err != nil {
		return err
	}
	if at.String() == v.fleet.base(0)+"/" {
		return nil // the provider still knew who it is
	}
	m := regexp.MustCompile(`action="([^"]*)/login"`).FindStringSubmatch(form)
	if m == nil {
		return fmt.Errorf("%s: there is no form at %s: %s", v.name, at, form)
	}
	to, err := at.Parse(m[1] + "/login")
	if err != nil {
		return err
	}
	if _, at, err = v.page(http.MethodPost, to.String(), url.Values{"login": {v.name}, "password": {v.name}}); err != nil {
		return err
	}
	if at.String() != v.fleet.base(0)+"/" {
		return fmt.Errorf("%s: the login ended at %s", v.name, at)
	}
	return nil
}

// page is a navigation, redirects included.
func (v *visitor) page(method, address string, form url.Values) (body string, at *url.URL, err error) {
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return string(raw), resp.Request.URL, err
}

// A reply is what a route under /api/ answered.
type reply struct {
	status int
	header http.Header
	text   string

	// Of /api/me.
	Subject string    `json:"sub"`
	Expires time.Time `json:"access_token_expires_at"` // and of /api/refresh

	// Of /api/call and /api/machine: what the demo API said.
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// owner is whose token the demo API saw.
func (r *reply) owner() string {
	var body struct {
		Subject string `json:"sub"`
	}
	_ = json.Unmarshal(r.Body, &body) // a text has no owner
	return body.Subject
}

// cookie is what the visitor's browser would send now.
func (v *visitor) cookie() []*http.Cookie {
	at, err := url.Parse(v.fleet.base(0))
	if err != nil {
		panic(err) // startFleet made it
	}
	return v.jar.Cookies(at)
}

// ask sends a request with these cookies, whatever newer ones there are, and keeps the ones that come back.
func (v *visitor) ask(ctx context.Context, address string, cookies []*http.Cookie) (*reply, error) {
	method := http.MethodGet
	if strings.HasSuffix(address, "/api/refresh") {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := v.fleet.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	v.jar.SetCookies(req.URL, resp.Cookies())
	r := &reply{status: resp.StatusCode, header: resp.Header, text: string(raw)}
	return r, json.Unmarshal(raw, r)
}

// call asks /api/call of the i-th process. An answer other than one of the API to this visitor's own token is an error.
func (v *visitor) call(ctx context.Context, i int, cookies []*http.Cookie) error {
	r, err := v.ask(ctx, v.fleet.base(i)+"/api/call", cookies)
	if err != nil {
		return err
	}
	if r.status != http.StatusOK || r.Status != http.StatusOK || r.owner() != v.name {
		return fmt.Errorf("%s got %d: %s", v.name, r.status, r.text)
	}
	return nil
}

// me asks /api/me of the i-th process. An answer other than one about this visitor is an error.
func (v *visitor) me(ctx context.Context, i int, cookies []*http.Cookie) (*reply, error) {
	r, err := v.ask(ctx, v.fleet.base(i)+"/api/me", cookies)
	if err == nil && (r.status != http.StatusOK || r.Subject != v.name) {
		err = fmt.Errorf("%s got %d: %s", v.name, r.status, r.text)
	}
	return r, err
}

// machine asks /api/machine of the i-th process. An answer other than one to the client's own token, whose subject is the client
// (RFC 9068 §2.2), is an error.
func (v *visitor) machine(ctx context.Context, i int) error {
	r, err := v.ask(ctx, v.fleet.base(i)+"/api/machine", v.cookie())
	if err == nil && (r.Status != http.StatusOK || r.owner() != "app") {
		err = fmt.Errorf("the machine got %d: %s", r.status, r.text)
	}
	return err
}

// outlast waits until the access tokens of all visitors have expired. The clock of real processes can't be turned: the time has
// to pass.
func outlast(t *testing.T, visitors ...*visitor) {
	t.Helper()
	var last time.Time
	for _, v := range visitors {
		r, err := v.me(t.Context(), 0, v.cookie())
		require.NoError(t, err)
		if r.Expires.After(last) {
			last = r.Expires
		}
	}
	<-time.After(time.Until(last))
}

// together does count things at the same time, and returns what went wrong: the first few errors, and how many there were.
func together(count int, do func(i int) error) error {
	var mu sync.Mutex
	var wrong []error
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			if err := do(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, err)
			}
		})
	}
	all.Wait()
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d failed: %w", len(wrong), count, errors.Join(wrong[:min(3, len(wrong))]...))
}
