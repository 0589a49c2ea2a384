package main

// A suite is benchmarks of one package that run together; where once is set they take so long that
// they run once.
type suite struct {
	pkg, pattern string
	once         bool
}

var suites = []suite{
	{pkg: "session", pattern: "^BenchmarkSight$/^S$"},
	{pkg: "session", pattern: "^(BenchmarkSave|BenchmarkKeysInRotation|BenchmarkMemoryStore|BenchmarkCookieBytes)$"},
	{pkg: "session", pattern: "^BenchmarkIdleLimit$"},
	{pkg: "session/redisstore", pattern: "^BenchmarkWholeRequest$"},
	{pkg: "internal/api", pattern: "^BenchmarkBinary$"},
	{pkg: "internal/api", pattern: "^BenchmarkCompile$", once: true},
	{pkg: "oidcauth", pattern: "^(BenchmarkSight|BenchmarkRequest|BenchmarkBoundRequest|BenchmarkDeviceRenewal|BenchmarkLogin)$"},
}

// A row of the table is one figure, or two as a ratio; with above, two as a difference.
type row struct {
	name     string
	of, over figure
	above    bool
	unit     string
	needs    string // what may be missing on a machine; "" for nothing
	digits   int
	target   float64
}

const (
	signIn     = "BenchmarkSight/"
	request    = "BenchmarkRequest/"
	sightStock = "BenchmarkSight/S/stock_securecookie"
)

func inSession(name, unit string) figure { return figure{"session", name, unit} }
func inFace(name, unit string) figure    { return figure{"oidcauth", name, unit} }
func inRedis(name string) figure {
	return figure{"session/redisstore", "BenchmarkWholeRequest/" + name, "cpu-ns/op"}
}
func compiling(name string) figure {
	return figure{"internal/api", "BenchmarkCompile/" + name, "cpu-ns/op"}
}
func binary(name string) figure { return figure{"internal/api", "BenchmarkBinary/" + name, "file-B"} }

var rows = []row{
	{name: "first sight of a session, against stock securecookie's Decode", of: inSession("BenchmarkSight/S/first_sight", "ns/op"), over: inSession(sightStock, "ns/op"), unit: "×", digits: 2, target: 1.5},
	{name: "first sight, guard and user: allocations", of: inFace(signIn+"first_sight,_guard_and_user", "allocs/op"), target: 45},
	{name: "first sight, guard and user: bytes", of: inFace(signIn+"first_sight,_guard_and_user", "B/op"), target: 8 << 10},
	{name: "whole request at first sight, against a bare one", of: inFace(request+"first_sight,_with_the_user", "ns/op"), over: inFace(request+"bare", "ns/op"), unit: "×", digits: 2, target: 2.2},
	{name: "whole request in memory, against a bare one with the cookie sent", of: inFace(request+"guarded_with_the_user", "ns/op"), over: inFace(request+"bare_with_the_cookie_sent", "ns/op"), unit: "×", digits: 2, target: 1.1},
	{name: "whole request in memory, allocations above that", of: inFace(request+"guarded_with_the_user", "allocs/op"), over: inFace(request+"bare_with_the_cookie_sent", "allocs/op"), above: true, target: 6},
	{name: "whole request, cookie with marks in Redis, against a bare one: CPU", of: inRedis("cookie_with_marks_in_Redis"), over: inRedis("bare_handler"), unit: "×", digits: 2, target: 2.8, needs: "redis-server"},
	{name: "whole request, ServerSide with Redis, against a bare one: CPU", of: inRedis("ServerSide_with_Redis"), over: inRedis("bare_handler"), unit: "×", digits: 2, target: 2.5, needs: "redis-server"},
	{name: "login, own time in µs", of: inFace("BenchmarkLogin", "own-µs/op"), target: 900},
	{name: "request of a session that is bound to a device, against one that is not", of: inFace("BenchmarkBoundRequest/bound", "ns/op"), over: inFace("BenchmarkBoundRequest/unbound", "ns/op"), unit: "×", digits: 2, target: 1.15},
	{name: "renewal of a bound cookie with ES256, in ns", of: inFace("BenchmarkDeviceRenewal/ES256", "ns/op"), target: 500_000},
	{name: "renewal of a bound cookie with RS256, in ns", of: inFace("BenchmarkDeviceRenewal/RS256", "ns/op"), target: 500_000},
	{name: "idle limit due and the old cookie sent, against not due", of: inSession("BenchmarkIdleLimit/due", "ns/op"), over: inSession("BenchmarkIdleLimit/not_due", "ns/op"), unit: "×", digits: 2, target: 1.15},
	{name: "saving, cookie: allocations", of: inSession("BenchmarkSave/cookie", "allocs/op"), target: 60},
	{name: "saving, cookie: bytes", of: inSession("BenchmarkSave/cookie", "B/op"), target: 12 << 10},
	{name: "saving, cookie and Store: allocations", of: inSession("BenchmarkSave/cookie_and_store", "allocs/op"), target: 60},
	{name: "saving, cookie and Store: bytes", of: inSession("BenchmarkSave/cookie_and_store", "B/op"), target: 12 << 10},
	{name: "saving, ServerSide: allocations", of: inSession("BenchmarkSave/server_side", "allocs/op"), target: 60},
	{name: "saving, ServerSide: bytes", of: inSession("BenchmarkSave/server_side", "B/op"), target: 12 << 10},
	{name: "the oldest of four keys, against one key", of: inSession("BenchmarkKeysInRotation/oldest_of_four_keys", "ns/op"), over: inSession("BenchmarkKeysInRotation/one_key", "ns/op"), unit: "×", digits: 2, target: 1.05},
	{name: "MemoryStore after a million entries, against a new one", of: inSession("BenchmarkMemoryStore/after_a_million", "ns/op"), over: inSession("BenchmarkMemoryStore/fresh", "ns/op"), unit: "×", digits: 2, target: 5},
	{name: "cookie with tokens like Keycloak's: bytes", of: inSession("BenchmarkCookieBytes/S", "cookie-B"), target: 1450},
	{name: "cookie with tokens like Entra's: bytes", of: inSession("BenchmarkCookieBytes/L", "cookie-B"), target: 3300},
	{name: "stripped server that signs users in, against one with go-oidc, x/oauth2 and securecookie", of: binary("signet"), over: binary("parts"), unit: "×", digits: 2, target: 1.15},
	{name: "compiling it with an empty cache, against the other: CPU", of: compiling("signet"), over: compiling("parts"), unit: "×", digits: 2, target: 1.04},
}
