package oidcauth

// What tests in oidcauth_test need to reach.
var (
	LocalPath    = localPath
	IsNavigation = isNavigation
	RolesOf      = rolesOf
)

// TransactionCookie names the cookie of the login with this state.
func (a *Authenticator) TransactionCookie(state string) string { return a.transactionCookie(state) }

// LimitConsumed lets the memory of finished logins hold no more than limit.
func (a *Authenticator) LimitConsumed(limit int) { a.consumed.max = limit }

// FillLogins takes every place for a login under way; release gives them back.
func FillLogins(a *Authenticator) (release func()) {
	var all []func()
	for {
		one, ok := a.endpoint.acquire()
		if !ok {
			return func() {
				for _, free := range all {
					free()
				}
			}
		}
		all = append(all, one)
	}
}
