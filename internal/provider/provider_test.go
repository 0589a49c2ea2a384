package provider_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/providertest"
)

func requireUnavailable(t *testing.T, err error) time.Duration {
	t.Helper()
	var unavailable *pace.Outage
	require.ErrorAs(t, err, &unavailable)
	require.Error(t, unavailable.Err)
	require.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
	require.LessOrEqual(t, unavailable.RetryAfter, time.Minute)
	return unavailable.RetryAfter
}

func TestNothingIsFetchedBeforeSomebodyAsks(t *testing.T) {
	op := providertest.New(t)
	provider := op.Provider()
	require.Nil(t, provider.Peek())
	require.Empty(t, op.Requests)
}

func TestMetadataAreFetchedOnceForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.HandleFunc(discovery, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			op.Usual(w, r)
		})
		provider := op.Provider()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				m, err := provider.Metadata(background())
				require.NoError(t, err)
				require.Equal(t, issuer+"/token", m.TokenEndpoint)
			})
		}
		wg.Wait()
		_, err := provider.Metadata(background())
		require.NoError(t, err)
		require.Equal(t, 1, op.Hits(discovery))
	})
}

func TestOneCallersCancellationDoesNotCancelTheFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.HandleFunc(discovery, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			op.Usual(w, r)
		})
		provider := op.Provider()
		ctx, cancel := context.WithTimeout(background(), time.Second)
		defer cancel()
		_, err := provider.Metadata(ctx)
		requireUnavailable(t, err)
		time.Sleep(2 * time.Second)
		require.NotNil(t, provider.Peek(), "the fetch went on")
		require.Equal(t, 1, op.Hits(discovery))
	})
}

func TestAFetchEndsAfterConfigTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.HandleFunc(discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		began := time.Now()
		_, err := op.Provider().Metadata(background())
		requireUnavailable(t, err)
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

func TestMetadataAreRenewedAfterDiscoveryMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		provider := op.Provider()
		_, err := provider.Metadata(background())
		require.NoError(t, err)
		op.Metadata["token_endpoint"] = issuer + "/token2"
		time.Sleep(24*time.Hour - 1)
		m, err := provider.Metadata(background())
		require.NoError(t, err)
		require.Equal(t, issuer+"/token", m.TokenEndpoint)
		time.Sleep(time.Nanosecond)
		m, err = provider.Metadata(background())
		require.NoError(t, err)
		require.Equal(t, issuer+"/token2", m.TokenEndpoint)
		require.Equal(t, 2, op.Hits(discovery))
	})
}

func TestTheLastGoodMetadataServeWhenRenewingFails(t *testing.T) {
	for name, bad := range map[string]func(op *providertest.OP){
		"status 500": func(op *providertest.OP) { op.Handle(discovery, 500, "text/plain", "no") },
		"HTML":       func(op *providertest.OP) { op.Handle(discovery, 200, "text/html", "<html>") },
		"nothing":    func(op *providertest.OP) { op.Handle(discovery, 200, "application/json", "") },
		"cut JSON": func(op *providertest.OP) {
			op.Handle(discovery, 200, "application/json", `{"issuer":"https://op.example"`)
		},
		"a redirect":     func(op *providertest.OP) { op.Handle(discovery, 302, "", "") },
		"another issuer": func(op *providertest.OP) { op.Metadata["issuer"] = "https://evil.example" },
		"a list":         func(op *providertest.OP) { op.Handle(discovery, 200, "application/json", "[]") },
		"2 MiB": func(op *providertest.OP) {
			op.Handle(discovery, 200, "application/json", strings.Repeat(" ", 2<<20)+"{}")
		},
		"a hanging fetch": func(op *providertest.OP) {
			op.HandleFunc(discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := providertest.New(t)
				provider := op.Provider()
				_, err := provider.Metadata(background())
				require.NoError(t, err)
				bad(op)
				time.Sleep(25 * time.Hour)
				for range 3 {
					began := time.Now()
					m, err := provider.Metadata(background())
					require.NoError(t, err)
					require.Equal(t, issuer+"/token", m.TokenEndpoint)
					require.LessOrEqual(t, time.Since(began), 3*time.Second, "an old document saves the wait")
				}
				require.Equal(t, 2, op.Hits(discovery), "one try, then back-off")
				time.Sleep(time.Minute)
				require.Contains(t, op.Logged(), "provider unavailable")
			})
		})
	}
}

func TestAFailingProviderIsAskedAtGrowingIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.Handle(discovery, 503, "text/plain", "")
		provider := op.Provider()
		for range 600 { // ten minutes of an impatient client
			_, err := provider.Metadata(background())
			requireUnavailable(t, err)
			time.Sleep(time.Second)
		}
		require.GreaterOrEqual(t, op.Hits(discovery), 6+9)
		require.LessOrEqual(t, op.Hits(discovery), 6+13)
		op.Heal(discovery)
		_, err := provider.Metadata(background())
		if err != nil {
			time.Sleep(requireUnavailable(t, err))
			_, err = provider.Metadata(background())
		}
		require.NoError(t, err, "after RetryAfter the provider is asked again, with no restart")
	})
}

func TestTheFirstRetryComesWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := providertest.New(t)
		op.Handle(discovery, 503, "text/plain", "")
		provider := op.Provider()
		_, err := provider.Metadata(background())
		require.Equal(t, time.Second, requireUnavailable(t, err))
		op.Heal(discovery)
		_, err = provider.Metadata(background())
		require.Equal(t, time.Second, requireUnavailable(t, err))
		require.Equal(t, 1, op.Hits(discovery), "the back-off answers without a request")
		time.Sleep(time.Second)
		_, err = provider.Metadata(background())
		require.NoError(t, err)
	})
}

func TestAnIssuersSlashIsNotDoubled(t *testing.T) {
	op := providertest.New(t)
	op.Metadata["issuer"] = issuer + "/"
	_, err := op.Provider(func(c *providertest.Config) { c.Issuer = issuer + "/" }).Metadata(background())
	require.NoError(t, err)
	require.Equal(t, 1, op.Hits(discovery))
}
