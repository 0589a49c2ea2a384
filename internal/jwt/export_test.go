package jwt

// ParseProofKey is StoredProofKey without its exception for none.
var ParseProofKey = parseProofKey

// MaxKeys is what a test needs that publishes more.
const MaxKeys = maxKeys
