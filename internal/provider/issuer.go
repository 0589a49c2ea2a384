package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// TenantPlace is where the issuer of a provider with many tenants has the tenant, as Microsoft
// Entra ID publishes it.
const TenantPlace = "{tenantid}"

// Issuers are those that a provider's tokens may name: the configured one, or, where that is a
// template, one for each tenant that the configuration lists. There is no way to accept every
// tenant: each is a directory of its own, whose administrator decides what its claims say.
type Issuers struct {
	Configured string
	Tenants    []string
}

// Many reports whether the configured issuer is a template.
func (i Issuers) Many() bool { return strings.Contains(i.Configured, TenantPlace) }

// fill returns template with the tenant in its place.
func fill(template, tenant string) string { return strings.ReplaceAll(template, TenantPlace, tenant) }

// discovery is the issuer below which the metadata are: Entra's, for work and school accounts of
// all tenants, where there are many.
func (i Issuers) discovery() string { return fill(i.Configured, "organizations") }

// Allow reports whether iss is one of the issuers.
func (i Issuers) Allow(iss string) bool {
	if !i.Many() {
		return iss == i.Configured
	}
	return slices.ContainsFunc(i.Tenants, func(tenant string) bool { return iss == fill(i.Configured, tenant) })
}

// of returns the issuer that a token with these claims must name: with many tenants, that of its
// tid claim, which must be listed.
func (i Issuers) of(claims strictjson.Object) (string, error) {
	if !i.Many() {
		return i.Configured, nil
	}
	tid, err := claims.Text("tid")
	if err != nil {
		return "", err
	}
	if !slices.Contains(i.Tenants, tid) {
		return "", fmt.Errorf("tid: expected one of Config.Tenants, got %s", logtext.Quote(tid))
	}
	return fill(i.Configured, tid), nil
}

// check demands that claims name the issuer that they must.
func (i Issuers) check(claims strictjson.Object) error {
	want, err := i.of(claims)
	if err != nil {
		return err
	}
	got, err := claims.Text("iss")
	if err == nil && got != want {
		err = fmt.Errorf("iss: expected exactly %q, got %s", want, logtext.Quote(got))
	}
	return err
}

// ownsKey reports whether a key that is published for keyIssuer may sign for the issuer of claims.
// Only keys shared by many tenants say whose they are.
func (i Issuers) ownsKey(keyIssuer string, claims strictjson.Object) bool {
	if !i.Many() || keyIssuer == "" {
		return true
	}
	tid, err := claims.Text("tid")
	issuer, err2 := i.of(claims)
	return err == nil && err2 == nil && fill(keyIssuer, tid) == issuer
}

// CheckTenant reports why tenant can't be the id of one: a GUID in lower case.
func CheckTenant(tenant string) error {
	isPlain := func(r rune) bool {
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'f'
	}
	if len(tenant) != 36 || strings.ContainsFunc(tenant, func(r rune) bool { return !isPlain(r) }) {
		return errors.New("expected a tenant id: a UUID in lower case, as the tid claim has it")
	}
	return nil
}
