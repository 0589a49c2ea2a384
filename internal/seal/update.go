package seal

import (
	"context"
	"errors"
	"time"
)

// ErrContended means that others have been faster at changing a row, over and over.
var ErrContended = errors.New("seal: row kept changing")

const maxTries = 32 // of a compare-and-swap that other processes keep winning

// UntilHeld calls try until its compare-and-swap holds, each time from the start: at most 32 times,
// then ErrContended. Other errors: try's.
func UntilHeld(try func() (held bool, err error)) error {
	for range maxTries {
		if held, err := try(); held || err != nil {
			return err
		}
	}
	return ErrContended
}

// Update replaces the row key by what change makes of it, whatever others do to it at the same
// time: change is called with the row as it is, and again where somebody else was faster. It
// returns the new value, or nil to leave the row alone; ttl is that of a row that is written.
// Errors: change's; the Store's; ErrContended, when nothing was changed.
func (v *Vault) Update(ctx context.Context, key string, ttl time.Duration, change func(Row) ([]byte, error)) error {
	return UntilHeld(func() (bool, error) {
		rows, err := v.Get(ctx, key)
		if err != nil {
			return false, err
		}
		value, err := change(rows[0])
		if err != nil || value == nil {
			return value == nil, err
		}
		return v.Replace(ctx, key, rows[0].Raw, value, ttl)
	})
}

// Replace is Swap, and Add where oldRaw is nil since there was no row.
func (v *Vault) Replace(ctx context.Context, key string, oldRaw, value []byte, ttl time.Duration) (bool, error) {
	if oldRaw == nil {
		return v.Add(ctx, key, value, ttl)
	}
	return v.Swap(ctx, key, oldRaw, value, ttl)
}
