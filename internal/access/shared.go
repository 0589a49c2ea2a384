package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/seal"
)

const (
	// leaseSlack is how much longer than its call a lease lives.
	leaseSlack = 5 * time.Second

	// Those who wait for another process's token look for it after firstPoll, then at growing
	// intervals up to lastPoll.
	firstPoll = 20 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// sharedTokens keeps machine tokens in a Store, sealed, so that of many processes one asks the
// endpoint and the others read. A Store that fails costs requests to the endpoint, and nothing
// else.
type sharedTokens struct {
	// vault holds a row for each token, and one for each lease.
	vault *seal.Vault

	// lease is longer than a request to the endpoint may take, so that the lease of a living
	// process does not end before its call.
	lease time.Duration
}

// A tokenRow is a token as the Store keeps it.
type tokenRow struct {
	Value string `json:"a"`

	// Key is the DPoP key that it is bound to.
	Key []byte `json:"k,omitempty"`

	Grant
}

// Token returns the token in row key if it serves q. Otherwise one process at a time may request a
// new one.
func (s *sharedTokens) token(ctx context.Context, log *slog.Logger, key string, q *Request, request func() (*Token, error)) (*Token, error) {
	t, holder, err := s.await(ctx, key, q)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "store unavailable", slog.String("during", "machine token"), logtext.Reason(err))
		return request()
	}
	if holder == nil {
		return t, nil
	}
	defer s.release(ctx, log, key, holder)
	if t, err = request(); err != nil {
		return nil, err
	}
	if err := s.put(ctx, key, t); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "store unavailable", slog.String("during", "machine token"), logtext.Reason(err))
	}
	return t, nil
}

// await returns a token that serves q, or takes the lease under which one may be requested: holder
// is then what its row holds.
func (s *sharedTokens) await(ctx context.Context, key string, q *Request) (t *Token, holder []byte, err error) {
	name := make([]byte, 16)
	_, _ = rand.Read(name) // never fails
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		if t, err = s.get(ctx, key); err != nil || t.Serves(q, time.Now()) {
			return t, nil, err
		}
		leased, err := s.vault.Add(ctx, leaseRow(key), name, s.lease)
		if err != nil {
			return nil, nil, err
		}
		if leased {
			return nil, name, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// leaseRow is the row that exists while one process asks for the token in row key.
func leaseRow(key string) string { return key + "/lease" }

// release gives the lease back if it is still holder's: its time may be over, and it another's by
// now.
func (s *sharedTokens) release(ctx context.Context, log *slog.Logger, key string, holder []byte) {
	ctx = context.WithoutCancel(ctx)
	rows, err := s.vault.Get(ctx, leaseRow(key))
	if err == nil && len(rows) == 1 && bytes.Equal(rows[0].Value, holder) {
		_, err = s.vault.Delete(ctx, leaseRow(key), rows[0].Raw)
	}
	if err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "store unavailable", slog.String("during", "machine token"), logtext.Reason(err))
	}
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
