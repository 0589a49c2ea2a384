package oauth

// MaxNonces bounds the servers whose nonces are remembered.
const MaxNonces = maxNonces

// Len returns of how many servers a nonce is remembered.
func (n *Nonces) Len() int { return n.byServer.Len() }

// ParseTokenAnswer is reached by a table of answers and a fuzz target.
var ParseTokenAnswer = parseTokenAnswer
