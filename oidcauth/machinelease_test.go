package oidcauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A takenStore gives the lease to another process as soon as its holder has stored a token: the lease's time was over.
type takenStore struct {
	session.Store
	lease string
}

func (s *takenStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.lease = key
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *takenStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.Store.Set(ctx, s.lease, []byte("another's"), time.Minute); err != nil {
		return err
	}
	return s.Store.Set(ctx, key, value, ttl)
}

func TestALeaseThatIsAnothersByNowIsLeftAlone(t *testing.T) {
	w := newTokenWorld(t)
	store := &takenStore{Store: session.NewMemoryStore()}
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: oidcauthtest.DefaultIssuer, ClientID: "app", ClientSecret: "app-secret",
		HTTPClient: w.network.Client(), Store: store, Keys: []string{testKey},
	})
	require.NoError(t, err)
	_, err = machine.TokenSource(t.Context()).Token()
	require.NoError(t, err)
	rows, err := store.Get(t.Context(), store.lease)
	require.NoError(t, err)
	require.Equal(t, "another's", string(rows[0]))
}
