package oidcauth

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
)

// asLoginError makes a *LoginError of what a provider answered to a login and what is no good: its own error code where it gave
// one for the code, else code. Failures that are no answer, and those of a server that is broken, stay what they are.
func asLoginError(code string, err error) error {
	if _, known := errors.AsType[*LoginError](err); known {
		return err
	}
	if _, refused := errors.AsType[*provider.TokenError](err); refused {
		return &LoginError{Code: code, Err: err}
	}
	failed, ok := errors.AsType[*oauth.Error](err)
	if !ok || failed.Status == 0 || failed.Status >= http.StatusInternalServerError {
		return err
	}
	if failed.Endpoint == "token" {
		code = cmp.Or(failed.ErrorCode(), code)
	}
	return &LoginError{Code: code, Description: failed.Description, Err: err}
}
