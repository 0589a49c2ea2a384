// Package inside is the door between package session and the other packages of this module. What
// they need of sessions, and no application does, stands here as interfaces; session implements
// them by unexported types and opens the door as it is initialized. So they are in nobody's API,
// and nobody outside of this module can reach them.
//
// Start reading at [OfManager] and [OfSession]. Neither allocates.
package inside

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// A Manager is what a *session.Manager does for this module alone. Safe for concurrent use.
type Manager interface {
	// Companion returns what a package keeps along with the manager, made by create at the first
	// call.
	Companion(create func() any) any

	// Sealer lends the manager's keys for one purpose.
	Sealer(purpose string) *seal.Sealer

	// Vault lends rows of the manager's Store for one purpose; nil without a Store. Its calls are
	// bounded by Config.StoreTimeout and fail with session.ErrUnavailable.
	Vault(purpose string) *seal.Vault

	// RevokeNumbered is Manager.RevokeAt, and has the mark remember number, if that is greater than
	// what it has.
	RevokeNumbered(ctx context.Context, tag string, at time.Time, number int64) error

	// InviteAt has pages invite browsers to bind their session, where a login may be bound. path
	// tells, for a *session.Session, where its browser posts the registration to: as the browser
	// sees it, "" for nowhere.
	InviteAt(path func(s any) string)

	// RenewBinding answers a renewal of a device-bound session whose request has this header: by a
	// Binding with a Challenge, or with a Cookie. Errors: session.ErrUnavailable; any other ends
	// the binding. The Binding is never nil, and even along with an error says what is known.
	RenewBinding(ctx context.Context, h http.Header) (*Binding, error)

	// KnowsBinding reports whether one of our keys opens the identifier of a binding.
	KnowsBinding(identifier string) bool

	// ExpiredProof is the bound cookie that takes a browser's away.
	ExpiredProof() *http.Cookie

	// Numbered returns the greatest number that the marks of tags remember, 0 when they remember
	// none. Error: session.ErrUnavailable.
	Numbered(ctx context.Context, tags ...string) (greatest int64, err error)
}

// A Session is what a *session.Session does for this module alone. Safe for concurrent use.
type Session interface {
	// Arrived is when the request came whose handle it is; zero for one that Session.Exclusive
	// hands out.
	Arrived() time.Time

	// LoadWithin is Session.Load for what must not end with its request: it waits for the Store as
	// long as ctx allows.
	LoadWithin(ctx context.Context) error

	// Deposit lets Recall find the session, as it was last saved. Without one it does nothing.
	// Error: session.ErrUnavailable.
	Deposit(ctx context.Context) error

	// Recall is for a request that came without the cookie of a session that its browser has, as
	// cross-site POSTs do: it goes on with the session of this id, if that was deposited or is in
	// the Store, and lives. A request with a cookie, whatever it is, goes on as it is. No cookie is
	// written for it. Error: session.ErrUnavailable.
	Recall(ctx context.Context, id string) error

	// Looks reports whether the request is a look: see Manager.Peek of package session.
	Looks() bool

	// CountLook has the look that the request is count as use of the session, as far as that needs
	// no cookie: where sessions are kept in the Store, the idle limit moves.
	CountLook()

	// Keep keeps v under name for as long as the request lasts whose handle it is: not in the
	// session, and for nobody else.
	Keep(name string, v any)

	// Kept returns what Keep was last given under name, nil for nothing.
	Kept(name string) any

	// View is the session with this request's changes.
	View

	// Amend lets change alter the session's facts, and begins a session when there is none. What it
	// leaves alone stays as the newest generation has it when that is saved. Errors: as of
	// Session.Set; a thumbprint that is none, with which nothing was changed.
	Amend(change func(*packed.Facts)) error

	// Memo returns what build makes of the session, once per generation, for all requests that
	// carry it: so the result must depend on nothing but the session, and must not be changed. What
	// this request has changed and not saved makes a result of its own. There is one result per
	// Manager: Memo is for the package that owns the session's content. It is nil without a
	// session.
	Memo(build func(View) any) any

	// LeaveCookie lets this response go out without a cookie that only moves the idle limit: for a
	// session that another process may have changed, without this one knowing, an older cookie must
	// not take the place of a newer one. After the response began it does nothing.
	LeaveCookie()

	// WaiveProof lets the request go on with a session that is bound to a device, without a proof
	// that it comes from there: for what has to work without, as a logout. Call it before anything
	// else is asked of the session. demand takes that back, unless the session has changed.
	WaiveProof() (demand func())

	// Unproven is the ID of the session that the request's cookie names, where it lives and is
	// served to nobody for want of a proof, or because it had to be bound; "" otherwise.
	Unproven() string

	// HasStaleProof reports whether such a request carries a bound cookie that is of no use. Until
	// it is gone, the browser renews nothing.
	HasStaleProof() bool

	// Invite has the response with header h, which hands out the session of a login, invite the
	// browser to bind it; path is where it posts the registration to. Pages do so by themselves.
	Invite(ctx context.Context, h http.Header, path string)

	// Bind binds the session to the key that response, the browser's proof, brings. It goes on
	// under a new ID, and the response has to carry Binding.Cookie. Errors: session.ErrUnavailable;
	// any other refuses, and changes nothing; the Binding then names the session, if it is known.
	Bind(ctx context.Context, response string) (*Binding, error)

	// JoinEnd is for the end of a session on behalf of several requests, as by a refresh that they
	// wait for together: where of has ended its session, this one counts as one that ended it, so
	// that its response expires the cookie too; so does of itself, when it has waited. Otherwise,
	// and for an of of nil, it does nothing.
	JoinEnd(of Session)
}

// ErrBound is why a session that is bound can't be bound again.
var ErrBound = errors.New("session: it is bound to a device already")

// A Binding is a session that is bound to a key of a device.
type Binding struct {
	Session    string // its ID
	Thumbprint string // of the key (RFC 7638)
	Identifier string // what the browser calls it by
	Challenge  string // what it has to answer; "" where it need not
	Cookie     *http.Cookie
	Attributes string // those of each Cookie, as text
}

// A View is one generation of a session. It may be kept to read more of it later: the request may
// be over then.
type View interface {
	// Get returns a copy of the value kept under name, and whether there is one.
	Get(name string) ([]byte, bool)

	// Token returns the token kept under name, and whether there is one.
	Token(name string) (string, bool)

	// Claims returns the payload of the token kept under name, where that is a signed JWT whose
	// payload is an object, and whether it is. No other token is unpacked for it. The bytes are the
	// caller's.
	Claims(name string) ([]byte, bool)

	// Facts are what this module itself keeps of the session; nil without one.
	// They are read without unpacking anything, and must not be changed.
	Facts() *packed.Facts
}

var (
	ofManager func(m any) Manager
	ofSession func(s any) Session
	without   func(ctx context.Context) context.Context
)

// Open is package session's, which alone knows how its types do what is asked of them.
func Open(manager func(m any) Manager, session func(s any) Session, hide func(context.Context) context.Context) {
	ofManager, ofSession, without = manager, session, hide
}

// Without returns ctx as if no Manager's Handler stood around it: for a request that is judged by
// something else than its cookie, whoever looks for a session finds none.
func Without(ctx context.Context) context.Context { return without(ctx) }

// OfManager returns what m does for this module. It panics unless m is a *session.Manager.
func OfManager(m any) Manager { return ofManager(m) }

// OfSession returns what s does for this module. It panics unless s is a *session.Session.
func OfSession(s any) Session { return ofSession(s) }
