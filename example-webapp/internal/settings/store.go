package settings

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// SESSION_STORE says where the sessions themselves are. Revocations, leases and used transactions
// need a shared place in any case, which is Redis with REDIS_URL, a database with DATABASE_URL, and
// this process's memory without either.
const (
	storeCookie   = "cookie"
	storeMemory   = "memory"
	storeRedis    = "redis"
	storePostgres = "postgres"
	storeSQLite   = "sqlite"
)

// A Redis is one server, a cluster, or one that sentinels know.
type Redis struct {
	*redis.Options // of each server; Addr is the first of Addrs

	Addrs   []string // of the server, of some nodes of the cluster, or of the sentinels
	Cluster bool
	Master  string // what the sentinels call it; "": there are none
}

// A Database is PostgreSQL or a file of SQLite.
type Database struct {
	Postgres *pgx.ConnConfig // nil: SQLite
	SQLite   string          // the file's name as modernc.org/sqlite takes it, with what the store needs of it
}

// readStore reads where sessions, revocations and locks live.
func (c *Config) readStore(e *env) {
	c.Store = e.oneOf("SESSION_STORE", storeCookie, storeMemory, storeRedis, storePostgres, storeSQLite)
	c.Session.ServerSide = c.Store != storeCookie
	c.Session.StoreTimeout = e.duration("REDIS_TIMEOUT", 3*time.Second)
	c.Redis, c.Database = e.redis(), e.database("DATABASE_URL", c.Session.StoreTimeout)
	switch {
	case e.getenv("REDIS_URL") != "" && e.getenv("DATABASE_URL") != "":
		e.mistake("DATABASE_URL", "REDIS_URL is set too, and there is one store: unset either")
	case c.Store == storeRedis && e.getenv("REDIS_URL") == "":
		e.mistake("REDIS_URL", "required with SESSION_STORE=redis")
	case c.Store != storePostgres && c.Store != storeSQLite:
	case e.getenv("DATABASE_URL") == "":
		e.mistake("DATABASE_URL", "required with SESSION_STORE=%s", c.Store)
	case c.Database != nil && (c.Database.Postgres != nil) != (c.Store == storePostgres):
		e.mistake("DATABASE_URL", "names another kind of database than SESSION_STORE=%s", c.Store)
	}
}

// redis reads where Redis is, and what it is; nil is none. Errors quote no address, which may hold a
// password.
func (e *env) redis() *Redis {
	v := e.getenv("REDIS_URL")
	r := &Redis{Cluster: e.flag("REDIS_CLUSTER", false), Master: e.getenv("REDIS_SENTINEL_MASTER")}
	if r.Cluster && r.Master != "" {
		e.mistake("REDIS_SENTINEL_MASTER", "a cluster has no sentinels: unset it, or REDIS_CLUSTER")
	}
	if v == "" {
		for name, set := range map[string]bool{"REDIS_CLUSTER": r.Cluster, "REDIS_SENTINEL_MASTER": r.Master != ""} {
			if set {
				e.mistake(name, "has no meaning without REDIS_URL")
			}
		}
		return nil
	}
	address, more, ok := withoutAddrs(v)
	var err error
	if r.Options, err = redis.ParseURL(address); err != nil || !ok {
		e.mistake("REDIS_URL", "want redis://[user:password@]host:port[/number]")
		return nil
	}
	r.Addrs = append([]string{r.Addr}, more...)
	switch {
	case len(more) > 0 && !r.Cluster && r.Master == "":
		e.mistake("REDIS_URL", "addr= names further nodes: set REDIS_CLUSTER or REDIS_SENTINEL_MASTER")
	case r.Cluster && r.DB != 0:
		e.mistake("REDIS_URL", "a cluster has no numbered databases")
	}
	return r
}

// withoutAddrs takes the addr= parameters off an address, each of which is host:port.
func withoutAddrs(address string) (rest string, addrs []string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, false
	}
	q := u.Query()
	addrs = q["addr"]
	q.Del("addr")
	u.RawQuery = q.Encode()
	for _, addr := range addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return "", nil, false
		}
	}
	return u.String(), addrs, true
}

// database reads the address of a database; nil is none. Errors quote no address, which may hold a
// password.
func (e *env) database(name string, patience time.Duration) *Database {
	v := e.getenv(name)
	scheme, rest, _ := strings.Cut(v, ":")
	switch {
	case v == "":
		return nil
	case scheme == "postgres" || scheme == "postgresql":
		config, err := pgx.ParseConfig(v)
		if err != nil {
			break
		}
		return &Database{Postgres: config}
	case scheme == "file":
		file, query, _ := strings.Cut(rest, "?")
		parameters, err := url.ParseQuery(query)
		if err != nil || strings.Trim(file, "/") == "" {
			break
		}
		if strings.Contains(file, ":memory:") || parameters.Get("mode") == "memory" {
			e.mistake(name, "an in-memory database is separate for each connection: use a file")
			return nil
		}
		return &Database{SQLite: "file:" + file + "?" + withPragmas(parameters, patience).Encode()}
	}
	e.mistake(name, "want postgres://[user:password@]host:port/database, or file:path")
	return nil
}

// withPragmas adds what a file needs that several requests write to at once, unless it is said.
func withPragmas(parameters url.Values, patience time.Duration) url.Values {
	said := strings.Join(parameters["_pragma"], " ")
	for pragma, value := range map[string]string{"busy_timeout": fmt.Sprint(patience.Milliseconds()), "journal_mode": "WAL"} {
		if !strings.Contains(said, pragma) {
			parameters.Add("_pragma", pragma+"("+value+")")
		}
	}
	return parameters
}
