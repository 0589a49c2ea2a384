package oidcauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

func TestRequirementsDecide(t *testing.T) {
	now := time.Now()
	user := &oidcauth.User{
		Roles: []string{"admin"}, ACR: "gold", AMR: []string{"pwd", "otp"}, AuthTime: now.Add(-time.Minute),
		Claims: []byte(`{"dept":"sales","teams":["a","b"],"level":3,"paid":true,"off":false,"none":null}`),
	}
	for name, row := range map[string]struct {
		requirement oidcauth.Requirement
		want        any
	}{
		"a role that the user has":        {oidcauth.Role("admin"), nil},
		"a role that differs by case":     {oidcauth.Role("Admin"), new(oidcauth.DeniedError)},
		"a claim with the value":          {oidcauth.Claim("dept", "sales"), nil},
		"a claim with one of the values":  {oidcauth.Claim("dept", "it", "sales"), nil},
		"a claim with another value":      {oidcauth.Claim("dept", "it"), new(oidcauth.DeniedError)},
		"a list that holds the value":     {oidcauth.Claim("teams", "b"), nil},
		"a list that does not":            {oidcauth.Claim("teams", "c"), new(oidcauth.DeniedError)},
		"a number as text":                {oidcauth.Claim("level", "3"), nil},
		"true as text":                    {oidcauth.Claim("paid", "true"), nil},
		"a claim that must only be there": {oidcauth.Claim("paid"), nil},
		"a claim that is false":           {oidcauth.Claim("off"), new(oidcauth.DeniedError)},
		"a claim that is null":            {oidcauth.Claim("none"), new(oidcauth.DeniedError)},
		"a claim that is not there":       {oidcauth.Claim("gone"), new(oidcauth.DeniedError)},
		"the acr that the login has":      {oidcauth.ACR("silver", "gold"), nil},
		"another acr":                     {oidcauth.ACR("platinum"), new(oidcauth.StepUpError)},
		"methods that were all used":      {oidcauth.AMR("otp"), nil},
		"a method that was not used":      {oidcauth.AMR("pwd", "hwk"), new(oidcauth.StepUpError)},
		"a login that is recent enough":   {oidcauth.MaxAge(2 * time.Minute), nil},
		"a login that is too old":         {oidcauth.MaxAge(30 * time.Second), new(oidcauth.StepUpError)},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.requirement(user)
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			require.IsType(t, row.want, err)
		})
	}
}

func TestMaxAgeBelowASecondIsAProgrammingError(t *testing.T) {
	require.Panics(t, func() { oidcauth.MaxAge(0) })
}

func TestAContextGivesCopiesOfItsUser(t *testing.T) {
	require.Nil(t, oidcauth.UserFrom(context.Background()))
	given := &oidcauth.User{Subject: "alice", Roles: []string{"admin"}}
	ctx := oidcauth.WithUser(context.Background(), given)
	given.Roles[0] = "changed by the caller"
	first := oidcauth.UserFrom(ctx)
	require.Equal(t, []string{"admin"}, first.Roles)
	first.Roles[0] = "changed by a handler"
	require.Equal(t, []string{"admin"}, oidcauth.UserFrom(ctx).Roles)
	require.Nil(t, oidcauth.UserFrom(oidcauth.WithUser(ctx, nil)))
}
