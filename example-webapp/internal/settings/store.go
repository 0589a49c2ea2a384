package settings

import (
	"fmt"
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
	c.Redis, c.Database = e.redis("REDIS_URL"), e.database("DATABASE_URL", c.Session.StoreTimeout)
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

// redis reads the address of a Redis; nil is none.
func (e *env) redis(name string) *redis.Options {
	v := e.getenv(name)
	if v == "" {
		return nil
	}
	options, err := redis.ParseURL(v)
	if err != nil {
		// The parser's own error would quote the password.
		e.mistake(name, "want redis://[user:password@]host:port[/number]")
	}
	return options
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
			e.mistake(name, "a database in memory is another one for each connection: name a file")
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
