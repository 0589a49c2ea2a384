package jwt

// ParseProofKey is StoredProofKey without its exception for none.
var ParseProofKey = parseProofKey
