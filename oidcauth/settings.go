package oidcauth

// outbound is what the client for calls to the provider is told.
func (c *Config) outbound() clientSettings {
	return clientSettings{Base: c.HTTPClient, Certificate: c.ClientAuth.Certificate, Timeout: c.Timeout}
}
