package access

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/seal"
)

// leaseSlack is how much longer than its call a lease lives.
const leaseSlack = 5 * time.Second

// sharedTokens keeps machine tokens in a Store, sealed, so that of many processes one asks the
// endpoint and the others read. A Store that fails costs requests to the endpoint, and nothing
// else.
type sharedTokens struct {
	// vault holds a row for each token, and one for each lease.
	vault *seal.Vault

	// lease is how long a process that died holds it: longer than its call may take.
	lease time.Duration
}

// A tokenRow is a token as the Store keeps it.
type tokenRow struct {
	Value string `json:"a"`

	// Key is the DPoP key that it is bound to.
	Key []byte `json:"k,omitempty"`

	Grant
}

// token returns the token in row key if it serves q. Otherwise one process at a time may request a
// new one.
func (s *sharedTokens) token(ctx context.Context, log *slog.Logger, key string, q *Request, request func() (*Token, error)) (t *Token, err error) {
	warn := func(err error) {
		log.LogAttrs(ctx, slog.LevelWarn, "store unavailable", slog.String("during", "machine token"), logtext.Reason(err))
	}
	// The call goes on where the lease is lost: two tokens are better than none.
	_, lease, err := s.vault.Lease(ctx, key+"/lease", s.lease, func() (bool, error) {
		t, err = s.get(ctx, key)
		return err == nil && t.Serves(q, time.Now()), err
	})
	switch {
	case err != nil:
		warn(err)
		return request()
	case lease == nil:
		return t, nil
	}
	defer func() {
		if err := lease.Release(ctx); err != nil {
			warn(err)
		}
	}()
	if t, err = request(); err != nil {
		return nil, err
	}
	if err := s.put(ctx, key, t); err != nil {
		warn(err)
	}
	return t, nil
}

// get returns the token in row key, nil when there is none that makes sense.
func (s *sharedTokens) get(ctx context.Context, key string) (*Token, error) {
	rows, err := s.vault.Get(ctx, key)
	if err != nil || len(rows) != 1 || rows[0].Value == nil {
		return nil, err
	}
	var row tokenRow
	if json.Unmarshal(rows[0].Value, &row) != nil || row.Value == "" {
		return nil, nil //nolint:nilerr // a row of another release is none
	}
	return row.issued(), nil
}

// issued is the token in row, nil when the key that it is bound to is missing or broken: the next
// one will replace it.
func (row *tokenRow) issued() *Token {
	t := row.Token(row.Value)
	key, err := jwt.StoredProofKey(row.Key)
	if err == nil {
		t, err = t.Bound(key)
	}
	if err != nil {
		return nil
	}
	return t
}

// put writes t into row key until it expires.
func (s *sharedTokens) put(ctx context.Context, key string, t *Token) error {
	life := time.Until(t.Expiry)
	if life <= 0 {
		return nil
	}
	row := tokenRow{Value: t.Value, Grant: Grant{Type: t.Kind, Created: t.Created.UnixMilli(), Expiry: t.Expiry.UnixMilli()}}
	if t.Key != nil {
		key, err := t.Key.Bytes()
		if err != nil {
			return err
		}
		row.Key = key
	}
	raw, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return s.vault.Set(ctx, key, raw, life)
}
