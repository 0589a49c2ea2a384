package jwt_test

import "github.com/signet-go/signet/internal/providertest"

type m = providertest.Object

// What the tests say often.
var (
	rsaKey, ecKey, edKey = providertest.RSAKey, providertest.ECKey, providertest.EdKey

	jwkOf, with, proofOf = providertest.JWK, providertest.With, providertest.ProofOf
)

func must[T any](v T, err error) T { return providertest.Must(v, err) }
