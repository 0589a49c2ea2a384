package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/providertest"
)

const goodAnswer = `{"access_token":"at-1","token_type":"Bearer","expires_in":300,"refresh_token":"rt-1","id_token":"a.b.c","scope":"openid"}`

func grant() url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {"code-4711-of-alice"}, "code_verifier": {"verifier-0815-of-alice"}}
}

func requireEndpointError(t *testing.T, err error) *oauth.Error {
	t.Helper()
	var failed *oauth.Error
	require.ErrorAs(t, err, &failed)
	for _, secret := range []string{"code-4711", "verifier-0815", "secret-of-the-shop"} {
		require.NotContains(t, err.Error(), secret)
	}
	require.Less(t, len(err.Error()), 600)
	require.NotContains(t, err.Error(), "\n")
	return failed
}

func TestATokenRequestIsOnePost(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 200, "application/json", goodAnswer)
	form := grant()
	answer, err := op.Endpoint().Token(background(), form)
	require.NoError(t, err)
	require.Equal(t, "at-1", answer.AccessToken)
	require.Equal(t, "Bearer", answer.TokenType)
	require.Equal(t, "rt-1", answer.RefreshToken)
	require.Equal(t, "a.b.c", answer.IDToken)
	require.Equal(t, "openid", answer.Scope)
	require.False(t, answer.Expiry.IsZero())
	r := op.Last("/token")
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "code-4711-of-alice", r.PostForm.Get("code"))
	require.Empty(t, r.URL.RawQuery)
	require.Equal(t, 1, op.Hits("/token"))
	require.Equal(t, grant(), form, "the caller's form is left alone")
}

func TestBadTokenEndpointAnswers(t *testing.T) {
	redirect := func(status int) func(*providertest.OP) {
		return func(op *providertest.OP) {
			op.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://evil.example/token")
				w.WriteHeader(status)
			})
		}
	}
	answers := func(status int, contentType, body string) func(*providertest.OP) {
		return func(op *providertest.OP) { op.Handle("/token", status, contentType, body) }
	}
	for _, row := range []struct {
		name   string
		bend   func(*providertest.OP)
		status int
		code   string
	}{
		{"an OAuth error", answers(400, "application/json", `{"error":"invalid_grant","error_description":"gone"}`), 400, "invalid_grant"},
		{"an OAuth error in a 200", answers(200, "application/json", `{"error":"x","access_token":"y","token_type":"Bearer"}`), 200, "x"},
		{"an empty error in a 200", answers(200, "application/json", `{"error":"","access_token":"y","token_type":"Bearer"}`), 200, ""},
		{"a 201", answers(201, "application/json", goodAnswer), 201, ""},
		{"a 204", answers(204, "", ""), 204, ""},
		{"a login page", answers(200, "text/html", "<html><form>"), 200, ""},
		{"a form", answers(200, "application/x-www-form-urlencoded", "access_token=at&token_type=bearer"), 200, ""},
		{"a list", answers(200, "application/json", "["+goodAnswer+"]"), 200, ""},
		{"nothing", answers(200, "application/json", ""), 200, ""},
		{"two objects", answers(200, "application/json", goodAnswer+goodAnswer), 200, ""},
		{"five megabytes", answers(200, "application/json", `{"x":"`+strings.Repeat("a", 5<<20)+`"}`), 200, ""},
		{"a member twice", answers(200, "application/json", strings.Replace(goodAnswer, "{", `{"id_token":"x.y.z",`, 1)), 200, ""},
		{"an error page of a proxy", answers(502, "text/html", "<html>secret-of-the-shop"), 502, ""},
		{"a description that repeats the secret", answers(400, "application/json", `{"error":"invalid_client","error_description":"bad secret-of-the-shop"}`), 400, "invalid_client"},
		{"a description that repeats a piece of the code", answers(400, "application/json", `{"error":"invalid_grant","error_description":"no code-4711-of-al!"}`), 400, "invalid_grant"},
		{"an error code that repeats the code", answers(400, "application/json", `{"error":"code-4711-of-alice"}`), 400, "[removed]"},
		{"a description with control characters", answers(400, "application/json", `{"error":"e","error_description":"a\r\n\u001b[31m\u202eb"}`), 400, "e"},
		{"a description of 64 kB", answers(400, "application/json", `{"error":"e","error_description":"`+strings.Repeat("d", 64<<10)+`"}`), 400, "e"},
		{"a redirect with 302", redirect(302), 302, ""},
		{"a redirect with 307", redirect(307), 307, ""},
		{"a redirect with 308", redirect(308), 308, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			row.bend(op)
			_, err := op.Endpoint().Token(background(), grant())
			failed := requireEndpointError(t, err)
			require.Equal(t, row.status, failed.Status)
			require.Equal(t, row.code, failed.Code)
			require.Equal(t, 1, op.Hits("/token"), "one request, no retry")
			for _, r := range op.Requests {
				require.Equal(t, "op.example", r.URL.Host, "no redirect is followed")
			}
			require.NotContains(t, op.Logged(), "code-4711")
			require.NotContains(t, op.Logged(), "secret-of-the-shop")
		})
	}
}

func TestDescriptionsAreCleanedAndCut(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 400, "application/json", `{"error":"e","error_description":"a\r\n\"<script>\u202e`+strings.Repeat("é", 1000)+`"}`)
	_, err := op.Endpoint().Token(background(), grant())
	failed := requireEndpointError(t, err)
	require.Regexp(t, `^[ -~]{0,510}$`, failed.Description)
	require.NotContains(t, failed.Description, `"`)
}

// What the provider repeats of what we sent is cut out, and the rest, which may name the fix, stays.
func TestRepeatedSecretsAreCutOutOfDescriptions(t *testing.T) {
	const token = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"
	for _, row := range []struct{ name, said, want string }{
		{"a secret as a form spells it", "got a+secret%2Bwith%2Fodd+letters, want another", "got [removed], want another"},
		{"a secret as it is", "got a secret+with/odd letters, want another", "got [removed], want another"},
		{"a secret in a spelling of its own", "got a%20secret%2bwith%2fodd letters", "[withheld: repeats what was sent]"},
		{"a code that the provider has cut", "no code-4711-of-al! try again", "no [removed]! try again"},
		{"two of them", "code-4711-of-alice and code-4711-of-alice", "[removed] and [removed]"},
		{"a token that we have not seen", "INSERT INTO token VALUES ('" + token + "')", "INSERT INTO token VALUES ('[removed]')"},
		{"a JWT that we have not seen", "bad eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln here", "bad [removed] here"},
		{
			"a URL stays", "Claim 'aud' must match the authorization server's token endpoint 'https://op.example/oauth2/token'.",
			"Claim 'aud' must match the authorization server's token endpoint 'https://op.example/oauth2/token'.",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			body, err := json.Marshal(m{"error": "e", "error_description": row.said})
			require.NoError(t, err)
			op.Handle("/token", 400, "application/json", string(body))
			_, err = op.Endpoint(func(c *providertest.Config) { c.ClientSecret = "a secret+with/odd letters" }).Token(background(), grant())
			require.Equal(t, row.want, requireEndpointError(t, err).Description)
		})
	}
}

func TestOfALongDescriptionOnlyTheBeginningIsSearched(t *testing.T) {
	const limit = 4 << 10
	for name, row := range map[string]struct {
		description string
		found       bool
	}{
		"a secret at the beginning":                {"secret-of-the-shop" + strings.Repeat("d ", 1<<17), true},
		"a secret beyond what is shown":            {strings.Repeat("d ", limit/2-25) + "secret-of-the-shop" + strings.Repeat("d", 1<<18), false},
		"a secret beyond what is searched":         {strings.Repeat("d ", 1<<18) + "secret-of-the-shop", false},
		"an escaped secret before half an escape":  {"secret%2Dof%2Dthe%2Dshop" + strings.Repeat("%20", limit), true},
		"an escaped secret before most of another": {"d" + "secret%2Dof%2Dthe%2Dshop" + strings.Repeat("%20", limit), true},
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			op.Handle("/token", 400, "application/json", `{"error":"e","error_description":"`+row.description+`"}`)
			_, err := op.Endpoint().Token(background(), grant())
			failed := requireEndpointError(t, err)
			hidden := strings.Contains(failed.Description, "[removed]") || strings.Contains(failed.Description, "[withheld")
			require.Equal(t, row.found, hidden, failed.Description)
			require.NotContains(t, failed.Description, "shop")
			require.LessOrEqual(t, len(failed.Description), 503)
		})
	}
}

func TestRetryAfterIsReadAndCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"7": 7 * time.Second, "0": 0, "": 0, "-1": 0, "soon": 0, "99999999": time.Hour, "99999999999999999999": 0,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat):   90 * time.Second,
			time.Now().Add(-90 * time.Second).UTC().Format(http.TimeFormat):  0,
			time.Now().Add(9000 * time.Second).UTC().Format(http.TimeFormat): time.Hour,
		} {
			require.Equal(t, want, outbound.RetryAfter(http.Header{"Retry-After": {value}}), "%q", value)
		}
		op := providertest.New(t)
		op.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		})
		_, err := op.Endpoint().Token(background(), grant())
		failed := requireEndpointError(t, err)
		require.Equal(t, 7*time.Second, failed.RetryAfter)
		require.False(t, failed.Timeout())
	})
}

func TestATimeoutIsToldFromOtherFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.HandleFunc("/token", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		began := time.Now()
		_, err := op.Endpoint().Token(background(), grant())
		require.True(t, requireEndpointError(t, err).Timeout())
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Equal(t, 1, op.Hits("/token"))

		ctx, cancel := context.WithTimeout(background(), time.Second)
		defer cancel()
		_, err = op.Endpoint().Token(ctx, grant())
		require.True(t, requireEndpointError(t, err).Timeout(), "a caller's deadline is a time-out too")
	})
}

type failingTransport struct{ op *providertest.OP }

func (f failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/token" {
		return f.op.RoundTrip(r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return nil, errors.New("connection reset")
}

func TestADroppedConnectionIsNotRetried(t *testing.T) {
	op := providertest.New(t)
	_, err := op.Endpoint(func(c *providertest.Config) { c.HTTPClient = &http.Client{Transport: failingTransport{op}} }).Token(background(), grant())
	failed := requireEndpointError(t, err)
	require.Zero(t, failed.Status)
	require.False(t, failed.Timeout())
	require.ErrorContains(t, err, "connection reset")
	require.NotContains(t, err.Error(), "https://")
}

func TestABodyThatBreaksOffIsAnError(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 200, "application/json", "")
	broken := roundTripper(func(r *http.Request) (*http.Response, error) {
		res, err := op.RoundTrip(r)
		if r.URL.Path == "/token" {
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(goodAnswer[:20]), brokenReader{}))
		}
		return res, err
	})
	_, err := op.Endpoint(func(c *providertest.Config) { c.HTTPClient = &http.Client{Transport: broken} }).Token(background(), grant())
	require.ErrorIs(t, requireEndpointError(t, err), io.ErrUnexpectedEOF)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestNoMetadataNoRequest(t *testing.T) {
	op := providertest.New(t)
	op.Handle(discovery, 500, "", "")
	endpoint := op.Endpoint()
	_, err := endpoint.Token(background(), grant())
	requireUnavailable(t, err)
	_, err = endpoint.Push(background(), url.Values{})
	requireUnavailable(t, err)
	requireUnavailable(t, endpoint.Revoke(background(), "rt-1", "refresh_token"))
	_, err = endpoint.Userinfo(background(), bearer, "alice")
	requireUnavailable(t, err)
	require.Equal(t, 1, len(op.Requests))
}

func TestCookiesOfTheProviderAreNotKept(t *testing.T) {
	op := providertest.New(t)
	op.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "op", Value: "1"})
		_, _ = io.WriteString(w, goodAnswer)
	})
	jar := &recordingJar{}
	endpoint := op.Endpoint(func(c *providertest.Config) { c.HTTPClient = &http.Client{Transport: op, Jar: jar} })
	for range 2 {
		_, err := endpoint.Token(background(), grant())
		require.NoError(t, err)
	}
	require.Empty(t, op.Last("/token").Cookies())
	require.Zero(t, jar.calls)
}

type recordingJar struct{ calls int }

func (j *recordingJar) SetCookies(*url.URL, []*http.Cookie) { j.calls++ }

func (j *recordingJar) Cookies(*url.URL) []*http.Cookie { j.calls++; return nil }

func TestAPushedRequestGivesARequestURI(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/par", 201, "application/json", `{"request_uri":"urn:ietf:params:oauth:request_uri:abc","expires_in":60}`)
	params := url.Values{"state": {"s"}, "scope": {"openid"}}
	pushed, err := op.Endpoint().Push(background(), params)
	require.NoError(t, err)
	require.Equal(t, "urn:ietf:params:oauth:request_uri:abc", pushed.URI)
	r := op.Last("/par")
	require.Equal(t, "s", r.PostForm.Get("state"))
	require.Equal(t, clientID, r.PostForm.Get("client_id"))
	_, password, _ := r.BasicAuth()
	require.Equal(t, "secret-of-the-shop", password)
	require.NotContains(t, params, "client_id", "the caller's parameters are left alone")
}

func TestBadPushAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"no request_uri": `{}`, "an empty one": `{"request_uri":""}`, "a number": `{"request_uri":1}`, "one with spaces": `{"request_uri":"urn:a b"}`,
		"one with a line end": `{"request_uri":"urn:a\nb"}`, "one of 3 kB": `{"request_uri":"urn:` + strings.Repeat("a", 3000) + `"}`,
		"a list": `[]`, "an error": `{"error":"invalid_request"}`, "HTML": `<html>`,
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			op.Handle("/par", 201, "application/json", body)
			_, err := op.Endpoint().Push(background(), url.Values{})
			requireEndpointError(t, err)
		})
	}
	op := providertest.New(t)
	delete(op.Metadata, "pushed_authorization_request_endpoint")
	_, err := op.Endpoint().Push(background(), url.Values{})
	require.ErrorContains(t, err, "pushed_authorization_request_endpoint")
}

func TestATokenIsRevoked(t *testing.T) {
	op := providertest.New(t)
	require.NoError(t, op.Endpoint().Revoke(background(), "rt-1", "refresh_token"))
	r := op.Last("/revoke")
	require.Equal(t, "rt-1", r.PostForm.Get("token"))
	require.Equal(t, "refresh_token", r.PostForm.Get("token_type_hint"))
	_, _, ok := r.BasicAuth()
	require.True(t, ok)
	op.Handle("/revoke", 503, "", "")
	requireEndpointError(t, op.Endpoint().Revoke(background(), "rt-1", "refresh_token"))
	delete(op.Metadata, "revocation_endpoint")
	op.Requests = nil
	require.NoError(t, op.Endpoint().Revoke(background(), "rt-1", "refresh_token"), "nothing to do")
	require.Zero(t, op.Hits("/revoke"))
}
