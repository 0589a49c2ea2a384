package oidcauth

import "github.com/signet-go/signet/internal/outbound"

// outbound is what the client for calls to the provider is told.
func (c *Config) outbound() outbound.Settings {
	return outbound.Settings{Base: c.HTTPClient, Certificate: c.ClientAuth.Certificate, Timeout: c.Timeout}
}
