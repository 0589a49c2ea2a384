package access_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/providertest"
)

func TestAMachineKeepsABoundedNumberOfTokens(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", http.StatusOK, "application/json", `{"access_token":"the-secret-token","token_type":"Bearer","expires_in":3600}`)
	m := access.NewMachine(access.MachineSettings{
		Issuer: providertest.Issuer, ClientID: providertest.ClientID, Endpoint: op.Endpoint(), Refused: func(err error) error { return err },
		Timeout: 10 * time.Second, Lifetime: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	for i := range 1100 {
		token, err := m.Token(t.Context(), access.Request{Scopes: []string{fmt.Sprint("scope-", i)}})
		require.NoError(t, err)
		require.Equal(t, "the-secret-token", token.Value)
	}
	require.Equal(t, 1100, op.Hits("/token"))
	require.LessOrEqual(t, access.CachedTokens(m), 1000)
	require.NotContains(t, op.Logged(), "the-secret-token")
}
