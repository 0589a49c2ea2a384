package oidcauth_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// callAsMachine calls the provider's API, and returns the status.
func (w *world) callAsMachine(m *oidcauth.Machine) int {
	w.Helper()
	res, err := get(w.Context(), &http.Client{Transport: m.Transport(w.network)}, oidcauthtest.DefaultIssuer+"/api")
	require.NoError(w, err)
	return res.StatusCode
}

func TestEachMachineHasAKeyOfItsOwn(t *testing.T) {
	for _, nonces := range []bool{false, true} {
		t.Run(fmt.Sprint("nonces ", nonces), func(t *testing.T) {
			w := newDPoPWorld(t, nonces, func(c *oidcauth.Config) {
				c.Machines = map[string]oidcauth.MachineConfig{"reports": {Scopes: []string{"read"}}, "mail": {Scopes: []string{"send"}}}
			})
			for range 2 {
				require.Equal(t, http.StatusOK, w.callAsMachine(w.auth.Machine("reports")))
			}
			require.Len(t, w.thumbprints(), 1)
			require.Equal(t, http.StatusOK, w.callAsMachine(w.auth.Machine("mail")))
			require.Len(t, w.thumbprints(), 2)
			w.signIn()
			require.Len(t, w.thumbprints(), 3, "and so has each session")
		})
	}
}

func TestAMachineOfItsOwnMayUseDPoP(t *testing.T) {
	w := newTokenWorld(t)
	w.demandDPoP(true)
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret", DPoP: true,
		HTTPClient: w.network.Client(), APIs: []string{oidcauthtest.DefaultIssuer},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, w.callAsMachine(machine))
	require.Regexp(t, "^DPoP ", w.provider.Last(oidcauthtest.API).Header.Get("Authorization"))
}

func TestAMachineTakesNoBearerTokenForABoundOne(t *testing.T) {
	w := newDPoPWorld(t, false, func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"reports": {}} })
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "bearer") })
	_, err := w.machineToken()
	require.ErrorContains(t, err, "expected DPoP")
	require.Zero(t, w.provider.Count(oidcauthtest.API))
}

func TestReplicasShareAMachinesTokenAndItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &recordingStore{Store: session.NewMemoryStore()}
		w := newTokenWorld(t)
		w.demandDPoP(true)
		newReplica := func() *oidcauth.Machine {
			m, err := oidcauth.NewMachine(oidcauth.MachineConfig{
				Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret", DPoP: true,
				HTTPClient: w.network.Client(), APIs: []string{oidcauthtest.DefaultIssuer}, Store: rows, Keys: []string{testKey},
			})
			require.NoError(t, err)
			return m
		}
		first, second := newReplica(), newReplica()
		require.Equal(t, http.StatusOK, w.callAsMachine(first))
		require.Equal(t, http.StatusOK, w.callAsMachine(second))
		require.Equal(t, http.StatusOK, w.callAsMachine(newReplica()), "after a restart")
		require.Len(t, w.thumbprints(), 1)
		require.Equal(t, 1, w.accepted("client_credentials"))
		key := must(oidcauth.MachineKey(t.Context(), second).Bytes())
		require.NotContains(t, rows.String(), string(key))
		require.NotContains(t, rows.String(), base64.StdEncoding.EncodeToString(key))
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusOK, w.callAsMachine(second))
		require.Equal(t, http.StatusOK, w.callAsMachine(first))
		require.Equal(t, 2, w.accepted("client_credentials"))
	})
}

// accepted counts the token requests of a grant type that were not refused.
func (w *world) accepted(grantType string) (n int) {
	for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
		if r.Form.Get("grant_type") == grantType && r.Status == http.StatusOK {
			n++
		}
	}
	return n
}

func TestASharedBearerTokenIsNotTakenForABoundOne(t *testing.T) {
	store := session.NewMemoryStore()
	w := newTokenWorld(t)
	for _, dpop := range []bool{false, true, false} {
		m, err := oidcauth.NewMachine(oidcauth.MachineConfig{
			Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret", DPoP: dpop,
			HTTPClient: w.network.Client(), APIs: []string{oidcauthtest.DefaultIssuer}, Store: store, Keys: []string{testKey},
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, w.callAsMachine(m))
		require.Equal(t, dpop, w.provider.Last(oidcauthtest.API).Header.Get("DPoP") != "")
	}
}
