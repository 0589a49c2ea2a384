package oidcauth

// maxEnded bounds the providers that are remembered after they were removed.
const maxEnded = 100_000

// idleness is TODO
type idleness struct{}
