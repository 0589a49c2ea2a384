package oidcauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

func TestAMachineOfConfigCannotSendItsCredentialsElsewhere(t *testing.T) {
	const field = `Machines["reports"].`
	for name, row := range map[string]struct {
		machine oidcauth.MachineConfig
		says    string // empty where New takes it
	}{
		"another issuer needs a client of its own": {
			oidcauth.MachineConfig{Issuer: "https://other.example.test"}, field + "ClientID",
		},
		"a token endpoint of another origin needs a client of its own": {
			oidcauth.MachineConfig{TokenURL: "https://other.example.test/token"}, field + "ClientID",
		},
		"a token endpoint of another port needs a client of its own": {
			oidcauth.MachineConfig{TokenURL: "https://id.example.test:8443/token"}, field + "ClientID",
		},
		"another issuer with a client of its own is taken": {
			oidcauth.MachineConfig{Issuer: "https://other.example.test", ClientID: "reports", ClientSecret: "s"}, "",
		},
		"a token endpoint of the issuer's origin may be the client's": {
			oidcauth.MachineConfig{TokenURL: "https://id.example.test:443/machines/token"}, "",
		},
		"the same issuer may be named": {
			oidcauth.MachineConfig{Issuer: "https://id.example.test"}, "",
		},
		"client authentication without a client is a mistake": {
			oidcauth.MachineConfig{ClientAuth: oidcauth.ClientAuth{Method: oidcauth.ClientSecretPost}}, field + "ClientAuth",
		},
		"a store of its own is a mistake": {
			oidcauth.MachineConfig{Store: session.NewMemoryStore()}, field + "Store, Keys",
		},
		"keys of its own are a mistake": {
			oidcauth.MachineConfig{Keys: []string{testKey}}, field + "Store, Keys",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			c.Machines = map[string]oidcauth.MachineConfig{"reports": row.machine}
			_, err := oidcauth.New(c)
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.says)
		})
	}
}
