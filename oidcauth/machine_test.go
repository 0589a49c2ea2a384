package oidcauth_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// newMachineWorld makes a world whose machine "reports" has this configuration, and an API. A Store beside it takes the place of
// the usual one.
func newMachineWorld(t *testing.T, c oidcauth.MachineConfig, store ...session.Store) (*world, *apiServer) {
	server := new(apiServer)
	w := newTokenWorld(t, func(config *oidcauth.Config) {
		config.APIs = []string{api}
		config.Machines = map[string]oidcauth.MachineConfig{"reports": c}
		if len(store) > 0 {
			config.Session.Store = store[0]
		}
	})
	w.network.Handle(api, server)
	return w, server
}

func (w *world) machineToken(options ...oidcauth.TokenOption) (string, error) {
	token, err := w.auth.Machine("reports").TokenSource(w.Context(), options...).Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// mustToken is machineToken where no error will do.
func (w *world) mustToken(options ...oidcauth.TokenOption) string {
	w.Helper()
	token, err := w.machineToken(options...)
	require.NoError(w, err)
	return token
}

func (w *world) machineCalls() int { return w.tokenCalls("client_credentials") }

// withAndWithoutStore runs a test for machines whose process is alone, and for such as share tokens by a Store, whose lease would
// hide that a process asks twice.
func withAndWithoutStore(t *testing.T, test func(t *testing.T, store session.Store)) {
	for name, store := range map[string]session.Store{"without a Store": nil, "with a Store": session.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, store) }) })
	}
}

func TestTwoHundredMachineCallsMakeOneTokenRequest(t *testing.T) {
	withAndWithoutStore(t, func(t *testing.T, store session.Store) {
		w, server := newMachineWorld(t, oidcauth.MachineConfig{Scopes: []string{"read", "write"}}, store)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		client := &http.Client{Transport: w.auth.Machine("reports").Transport(w.network)}
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				res, err := get(t.Context(), client, api)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, res.StatusCode)
			})
		}
		all.Wait()
		require.Equal(t, 1, w.machineCalls())
		form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
		require.Equal(t, url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}}, form)
		require.Len(t, server.seen, 200)
		for _, r := range server.seen {
			require.Equal(t, server.seen[0].Header.Get("Authorization"), r.Header.Get("Authorization"))
		}
	})
}

func TestTheCallerThatBeganAMachineRequestMayGoAway(t *testing.T) {
	withAndWithoutStore(t, func(t *testing.T, store session.Store) {
		w, _ := newMachineWorld(t, oidcauth.MachineConfig{}, store)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := w.auth.Machine("reports").TokenSource(ctx).Token()
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		all.Go(func() {
			_, err := w.machineToken()
			assert.NoError(t, err)
		})
		synctest.Wait()
		cancel()
		all.Wait()
		require.Equal(t, 1, w.machineCalls())
	})
}

func TestMachineTokensOfDifferentRequestsAreNeverMixedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		w.provider.Register(oidcauthtest.Client{ID: "other", Secret: "other-secret"})
		store := session.NewMemoryStore()
		base := oidcauth.MachineConfig{
			Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret",
			HTTPClient: w.network.Client(), Store: store, Keys: []string{testKey},
		}
		variants := []func(*oidcauth.MachineConfig){
			func(*oidcauth.MachineConfig) {},
			func(c *oidcauth.MachineConfig) { c.Scopes = []string{"a"} },
			func(c *oidcauth.MachineConfig) { c.Scopes = []string{"a", "b"} },
			func(c *oidcauth.MachineConfig) { c.Resource = []string{"https://a.example"} },
			func(c *oidcauth.MachineConfig) { c.Resource = []string{"https://b.example"} },
			func(c *oidcauth.MachineConfig) { c.Extra = url.Values{"audience": {"a"}} },
			func(c *oidcauth.MachineConfig) { c.Extra = url.Values{"tenant": {"a"}} },
			func(c *oidcauth.MachineConfig) { c.Extra = url.Values{"tenant": {"b"}} },
			func(c *oidcauth.MachineConfig) { c.ClientID, c.ClientSecret = "other", "other-secret" },
			func(c *oidcauth.MachineConfig) { c.TokenURL = oidcauthtest.DefaultIssuer + "/token" },
		}
		var mu sync.Mutex
		got := map[string]int{}
		var all sync.WaitGroup
		for i, vary := range variants {
			c := base
			vary(&c)
			machine, err := oidcauth.NewMachine(c)
			require.NoError(t, err)
			for range 10 {
				all.Go(func() {
					token, err := machine.TokenSource(t.Context()).Token()
					assert.NoError(t, err)
					mu.Lock()
					defer mu.Unlock()
					if known, ok := got[token.AccessToken]; ok {
						assert.Equal(t, known, i)
					}
					got[token.AccessToken] = i
				})
			}
		}
		all.Wait()
		require.Len(t, got, len(variants))
		require.Equal(t, len(variants), w.machineCalls())
	})
}

func TestMachineOptionsReplaceTheConfiguredOnes(t *testing.T) {
	w, _ := newMachineWorld(t, oidcauth.MachineConfig{Scopes: []string{"read"}, Resource: []string{"https://a.example"}})
	own := w.mustToken()
	other := w.mustToken(oidcauth.Scopes("write"), oidcauth.Resource("https://b.example"))
	require.NotEqual(t, own, other)
	require.Equal(t, own, w.mustToken())
	require.Equal(t, other, w.mustToken(oidcauth.Scopes("write"), oidcauth.Resource("https://b.example")))
	require.Equal(t, 2, w.machineCalls())
	claims := oidcauthtest.ParseToken(other).Claims
	require.Equal(t, "write", claims.Get("scope"))
	require.Equal(t, "https://b.example", claims.Get("aud"))
}

func TestAMachineTokenIsRenewedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
		first := w.mustToken()
		time.Sleep(8*time.Minute + 59*time.Second)
		require.Equal(t, first, w.mustToken())
		require.Equal(t, 1, w.machineCalls())
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(3*time.Second))
		time.Sleep(8 * time.Second)
		began := time.Now()
		for range 20 {
			require.Equal(t, first, w.mustToken(), "nobody waits while the old token is valid")
		}
		require.Zero(t, time.Since(began))
		time.Sleep(4 * time.Second)
		require.NotEqual(t, first, w.mustToken())
		require.Equal(t, 2, w.machineCalls())
	})
}

func TestAValidMachineTokenIsUsedWhileTheEndpointIsOut(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
				first := w.mustToken()
				w.provider.Intercept(oidcauthtest.TokenEndpoint, outage)
				time.Sleep(9*time.Minute + 10*time.Second)
				for range 40 {
					require.Equal(t, first, w.mustToken())
					time.Sleep(time.Second)
				}
				require.LessOrEqual(t, w.machineCalls(), 8, "spaced out")
				time.Sleep(time.Minute)
				_, err := w.machineToken()
				require.Error(t, err)
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				time.Sleep(time.Minute)
				require.NotEmpty(t, w.mustToken())
			})
		})
	}
}

func TestMachineErrorsAreTypedAndSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
		var refused *oidcauth.GrantError
		var down *oidcauth.UnavailableError
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(400, "invalid_scope"))
		for range 5 {
			_, err := w.machineToken()
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "invalid_scope", refused.Code)
		}
		require.Equal(t, 1, w.machineCalls())
		time.Sleep(2 * time.Second)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Retry-After", "20"), oidcauthtest.Reply(429, "text/plain", ""))
		for range 19 {
			_, err := w.machineToken()
			require.ErrorAs(t, err, &down)
			time.Sleep(time.Second)
		}
		require.Equal(t, 2, w.machineCalls())
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		time.Sleep(2 * time.Second)
		require.NotEmpty(t, w.mustToken())
	})
}

func TestAnAPIs401MakesAMachineGetAnotherTokenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := newMachineWorld(t, oidcauth.MachineConfig{})
		client := &http.Client{Transport: w.auth.Machine("reports").Transport(w.network)}
		server.challenge(1, `Bearer error="invalid_token"`)
		res, err := get(t.Context(), client, api)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Len(t, server.seen, 2)
		require.NotEqual(t, server.seen[0].Header.Get("Authorization"), server.seen[1].Header.Get("Authorization"))
		require.Equal(t, 2, w.machineCalls())
		_, err = get(t.Context(), client, api)
		require.NoError(t, err)
		require.Equal(t, server.seen[1].Header.Get("Authorization"), server.seen[2].Header.Get("Authorization"), "the new token is kept")

		server.challenge(10000, "")
		for range 100 {
			res, err = get(t.Context(), client, api)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, w.machineCalls(), 2+4, "an API that refuses everything does not become a token storm")
	})
}

func TestTenReplicasShareOneMachineToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		store := session.NewMemoryStore()
		machines := make([]*oidcauth.Machine, 10)
		for i := range machines {
			var err error
			machines[i], err = oidcauth.NewMachine(oidcauth.MachineConfig{
				Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret",
				HTTPClient: w.network.Client(), Store: store, Keys: []string{testKey},
			})
			require.NoError(t, err)
		}
		round := func(options ...oidcauth.TokenOption) map[string]bool {
			var mu sync.Mutex
			got := map[string]bool{}
			var all sync.WaitGroup
			for _, m := range machines {
				for range 5 {
					all.Go(func() {
						token, err := m.TokenSource(t.Context(), options...).Token()
						assert.NoError(t, err)
						mu.Lock()
						defer mu.Unlock()
						got[token.AccessToken] = true
					})
				}
			}
			all.Wait()
			return got
		}
		require.Len(t, round(), 1)
		require.Equal(t, 1, w.machineCalls())
		time.Sleep(11 * time.Minute)
		require.Len(t, round(), 1)
		require.Equal(t, 2, w.machineCalls())
		require.Len(t, round(oidcauth.ForceRefresh()), 1)
		require.Equal(t, 3, w.machineCalls())
	})
}

func TestAReplicaThatFailsLetsAnotherTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Times(1, oidcauthtest.Reply(500, "text/plain", "")))
		store := session.NewMemoryStore()
		began := time.Now()
		for i := range 2 {
			machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
				Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret",
				HTTPClient: w.network.Client(), Store: store, Keys: []string{testKey}, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			_, err = machine.TokenSource(t.Context()).Token()
			require.Equal(t, i == 0, err != nil)
		}
		require.Less(t, time.Since(began), time.Second)
	})
}

func TestAMachineDoesWithoutItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		store := &failingStore{Store: session.NewMemoryStore()}
		store.fail(true)
		machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
			Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret",
			HTTPClient: w.network.Client(), Store: store, Keys: []string{testKey},
		})
		require.NoError(t, err)
		for range 5 {
			_, err = machine.TokenSource(t.Context()).Token()
			require.NoError(t, err)
		}
		require.Equal(t, 1, w.machineCalls())
	})
}

func TestAMachineAloneNeedsNoMetadata(t *testing.T) {
	w := newTokenWorld(t)
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		TokenURL: oidcauthtest.DefaultIssuer + "/token", ClientID: "app", ClientSecret: "app-secret",
		HTTPClient: w.network.Client(), APIs: []string{oidcauthtest.DefaultIssuer}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	res, err := get(t.Context(), &http.Client{Transport: machine.Transport(w.network)}, oidcauthtest.DefaultIssuer+"/api")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Zero(t, w.provider.Count(oidcauthtest.Discovery))

	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(401, "invalid_client"))
	var refused *oidcauth.GrantError
	_, err = machine.TokenSource(t.Context(), oidcauth.ForceRefresh()).Token()
	require.ErrorAs(t, err, &refused)
}

func TestAMachineProvesItsDPoPKey(t *testing.T) {
	w := newTokenWorld(t)
	w.provider.Register(oidcauthtest.Client{ID: "app", Secret: "app-secret", RequireDPoP: true})
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.DPoPNonces = true })
	store := session.NewMemoryStore()
	for range 2 { // two processes, which share the token and the key that it is bound to
		machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
			Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret", DPoP: true,
			HTTPClient: w.network.Client(), APIs: []string{oidcauthtest.DefaultIssuer}, Store: store, Keys: []string{testKey},
		})
		require.NoError(t, err)
		client := &http.Client{Transport: machine.Transport(w.network)}
		for range 3 {
			res, err := get(t.Context(), client, oidcauthtest.DefaultIssuer+"/api")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
		}
		sent := w.provider.Last(oidcauthtest.API).Header.Get("Authorization")
		require.True(t, strings.HasPrefix(sent, "DPoP "), sent)
	}
	granted := 0
	for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
		if r.Status == http.StatusOK {
			granted++
		}
	}
	require.Equal(t, 1, granted, "the second process takes the first one's token")
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "Bearer") })
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret", DPoP: true,
		HTTPClient: w.network.Client(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	_, err = machine.TokenSource(t.Context()).Token()
	require.ErrorContains(t, err, "token_type")
}

func TestAnUnknownMachineSaysItsName(t *testing.T) {
	w := newTokenWorld(t)
	_, err := w.auth.Machine("repotrs").TokenSource(t.Context()).Token()
	require.ErrorContains(t, err, `"repotrs"`)
	_, err = w.auth.Machine("repotrs").Client(t.Context()).Get(api)
	require.ErrorContains(t, err, `"repotrs"`)
}

func TestMachineTokensGoOnlyToTheirOrigins(t *testing.T) {
	w, server := newMachineWorld(t, oidcauth.MachineConfig{APIs: []string{"https://reports.example.test"}})
	w.network.Handle("https://reports.example.test", server)
	client := &http.Client{Transport: w.auth.Machine("reports").Transport(w.network)}
	_, err := get(t.Context(), client, api)
	require.ErrorIs(t, err, oidcauth.ErrOrigin)
	require.ErrorContains(t, err, `Config.Machines["reports"].APIs`)
	_, err = get(t.Context(), client, "https://reports.example.test")
	require.NoError(t, err)
	require.Len(t, server.seen, 1)
}

func TestMachineConfigurationMistakesAreAllNamed(t *testing.T) {
	_, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Scopes: []string{"two words"}, Extra: url.Values{"grant_type": {"password"}}, APIs: []string{"http://api.example.com"},
		Keys: []string{testKey}, ClientAuth: oidcauth.ClientAuth{Method: "guess"}, Timeout: -1,
	})
	for _, field := range []string{"Issuer, TokenURL", "ClientID", "Scopes", "Extra", "APIs", "Keys", "ClientAuth", "Timeout"} {
		require.ErrorContains(t, err, "oidcauth: "+field)
	}
	for name, target := range map[string]string{"plain http": "http://id.example.com/token", "a path": "/token", "a user": "https://u@id.example.com/token"} {
		t.Run(name, func(t *testing.T) {
			_, err := oidcauth.NewMachine(oidcauth.MachineConfig{TokenURL: target, ClientID: "app", ClientSecret: "s"})
			require.ErrorContains(t, err, "oidcauth: TokenURL")
		})
	}
	_, err = oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: "https://id.example.com", ClientID: "app", ClientSecret: "s", Store: session.NewMemoryStore(),
	})
	require.ErrorContains(t, err, "oidcauth: Keys")
	_, err = oidcauth.New(oidcauth.Config{
		Issuer: "https://id.example.com", ClientID: "app", ClientSecret: "s", RedirectURL: app + "/auth/callback",
		Session:  session.Config{Keys: []string{testKey}},
		Machines: map[string]oidcauth.MachineConfig{"reports": {Scopes: []string{`"`}}, "mail": {ClientID: "mail", ClientAuth: oidcauth.ClientAuth{Method: "guess"}}},
	})
	require.ErrorContains(t, err, `Machines["reports"].Scopes`)
	require.ErrorContains(t, err, `Machines["mail"].ClientAuth`)
}

func TestAPanicInASecretFuncFailsOneRequest(t *testing.T) {
	w := newTokenWorld(t)
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		TokenURL: oidcauthtest.DefaultIssuer + "/token", ClientID: "app", HTTPClient: w.network.Client(), Logger: slog.New(slog.DiscardHandler),
		ClientAuth: oidcauth.ClientAuth{SecretFunc: func(context.Context) (string, error) { panic("no secret today") }},
	})
	require.NoError(t, err)
	_, err = machine.TokenSource(t.Context()).Token()
	require.ErrorContains(t, err, "no secret today")
}
