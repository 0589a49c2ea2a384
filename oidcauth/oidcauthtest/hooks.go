package oidcauthtest

// hooks are the functions that bend answers; nil ones leave them correct.
type hooks struct {
	metadata                       func(*Object)
	keys                           func([]*Object) []*Object
	authorization                  func(*Authorization)
	response                       func(*AuthorizationResponse)
	tokens                         func(*TokenAnswer)
	idToken, accessToken, userInfo func(*Token)
	responseJWT                    func(*Token)
	introspection                  func(*Object)
}

// BendMetadata passes each discovery document through f before it is sent. Like all Bend methods,
// it replaces the previous hook; nil removes it. Hooks may run concurrently, as requests arrive.
func (p *Provider) BendMetadata(f func(document *Object)) {
	p.bend(func(h *hooks) { h.metadata = f })
}

// BendKeys passes the published keys (RFC 7517) through f, which returns those to publish instead.
func (p *Provider) BendKeys(f func(keys []*Object) []*Object) {
	p.bend(func(h *hooks) { h.keys = f })
}

// BendAuthorization shows f each authorization request that passed its checks, with the decision
// that a correct provider makes, before it is acted on.
func (p *Provider) BendAuthorization(f func(*Authorization)) {
	p.bend(func(h *hooks) { h.authorization = f })
}

// BendAuthorizationResponse passes each response that goes back to the client through the browser,
// codes and errors alike, through f.
func (p *Provider) BendAuthorizationResponse(f func(*AuthorizationResponse)) {
	p.bend(func(h *hooks) { h.response = f })
}

// BendResponseJWT passes each authorization response that a client asked for as a JWT (JARM §2.1)
// through f before it is signed.
func (p *Provider) BendResponseJWT(f func(*Token)) {
	p.bend(func(h *hooks) { h.responseJWT = f })
}

// BendTokens passes each successful response of the token endpoint through f.
func (p *Provider) BendTokens(f func(*TokenAnswer)) {
	p.bend(func(h *hooks) { h.tokens = f })
}

// BendIDToken passes each ID token through f before it is signed; Token.Grant distinguishes those
// of a login from those of a refresh.
func (p *Provider) BendIDToken(f func(*Token)) {
	p.bend(func(h *hooks) { h.idToken = f })
}

// BendAccessToken passes each access token through f before it is signed. The provider then
// recognizes the token in its final form.
func (p *Provider) BendAccessToken(f func(*Token)) {
	p.bend(func(h *hooks) { h.accessToken = f })
}

// BendUserInfo passes each userinfo response through f. Header, Key and Rewrite matter only for
// signed responses.
func (p *Provider) BendUserInfo(f func(*Token)) {
	p.bend(func(h *hooks) { h.userInfo = f })
}

// BendIntrospection passes each introspection response (RFC 7662) through f.
func (p *Provider) BendIntrospection(f func(answer *Object)) {
	p.bend(func(h *hooks) { h.introspection = f })
}

// bend changes the hooks between two requests.
func (p *Provider) bend(f func(*hooks)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.hooks)
}

// hook returns the hooks of this moment; they are called without the mutex, so that a hook may use
// the provider.
func (p *Provider) hook() hooks {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hooks
}

// apply calls a hook when there is one.
func apply[T any](f func(T), value T) {
	if f != nil {
		f(value)
	}
}
