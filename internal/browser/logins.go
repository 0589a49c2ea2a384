package browser

import (
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// Logins are the logins that are under way in browsers: each is sealed into a cookie of its
// browser, and nothing of it is kept here but that its callback came. It is safe for concurrent
// use.
type Logins struct {
	Settings

	// consumed are the logins whose callback came.
	consumed *consumed
}

// Settings say how logins are kept in browsers.
type Settings struct {
	// Cookie is the session cookie's name, which the names of all cookies here begin with; Path is
	// where they are sent.
	Cookie, Path string

	// Sealer seals transactions. Provider names issuer and client, so that nothing of another
	// provider's is taken for ours.
	Sealer   *seal.Sealer
	Provider string

	// Vault remembers in the Store, where there is one, which callbacks came; else it is nil.
	Vault *seal.Vault

	// Origin is where callbacks come to, for messages.
	Origin string

	// Life is how long a login may take, Skew by how much the clocks of our processes may differ.
	Life, Skew time.Duration

	// Finished bounds the memory of logins whose callback came. Where there is no Store, logins that
	// finish faster than that within their lifetime are refused: forgetting one early would let its
	// callback be replayed.
	Finished int

	// Memory remembers those logins, where somebody else keeps it; nil for one of its own.
	Memory *Memory

	// Insecure cookies go over plain http. Posted says that callbacks are cross-site POSTs.
	Insecure, Posted bool
}

// New returns where logins under way are kept.
func New(s Settings) *Logins {
	if s.Memory != nil {
		return &Logins{Settings: s, consumed: s.Memory.consumed}
	}
	return &Logins{Settings: s, consumed: newConsumed(&s)}
}
