package settings

import (
	"time"

	"github.com/signet-go/signet/session"
)

// readDevices reads whether sessions are bound to the browser's device.
//
// Browsers bind over https only. Where it is required, plain http would lock all users out ten
// minutes after the login, so that it is refused here.
func (c *Config) readDevices(e *env) {
	switch e.oneOf("SESSION_DEVICE_BOUND", "off", "on", "require") {
	case "on":
		c.Session.DeviceBound = session.DeviceOn
	case "require":
		c.Session.DeviceBound = session.DeviceRequire
		switch {
		case c.Session.InsecureCookie:
			e.mistake("SESSION_DEVICE_BOUND", "require is not possible with COOKIE_INSECURE: browsers bind sessions over https only")
		case c.BaseURL.Scheme == "http":
			e.mistake("SESSION_DEVICE_BOUND", "require needs an https BASE_URL: browsers bind sessions over https only")
		}
	}
	c.Session.BoundLife = e.duration("SESSION_BOUND_LIFE", 10*time.Minute)
	if _, err := session.New(session.Config{Keys: []string{session.NewKey()}, BoundLife: c.Session.BoundLife}); err != nil {
		e.mistake("SESSION_BOUND_LIFE", "%w", err)
	}
}
