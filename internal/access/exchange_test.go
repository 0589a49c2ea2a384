package access_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/providertest"
)

func TestTheMemoryOfExchangedTokensIsBounded(t *testing.T) {
	const size = 60 << 10
	op := providertest.New(t)
	op.Handle("/token", http.StatusOK, "application/json", fmt.Sprintf(
		`{"access_token":"%s","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`, strings.Repeat("t", size)))
	x := access.NewExchanges(access.ExchangeSettings{
		Issuer: providertest.Issuer, ClientID: providertest.ClientID, Endpoint: op.Endpoint(), Refused: func(err error) error { return err },
		Timeout: 10 * time.Second, Lifetime: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	for i := range 300 {
		_, err := x.Token(t.Context(), access.Subject{Value: fmt.Sprint("subject-", i)}, access.Request{Terms: &access.Terms{Audience: []string{"api"}}})
		require.NoError(t, err)
	}
	require.Greater(t, access.ExchangedBytes(x), size, "they are kept")
	require.LessOrEqual(t, access.ExchangedBytes(x), 8<<20)
}
