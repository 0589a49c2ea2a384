package oidcauth

// What tests in oidcauth_test need to reach.
var (
	LocalPath    = localPath
	IsNavigation = isNavigation
	RolesOf      = rolesOf
)
