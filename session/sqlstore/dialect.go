package sqlstore

import (
	"strconv"
	"strings"
)

// table is its name.
const table = "signet_store"

// A dialect is what to say to a database: k is a row's key, v its value, and e its end. Each
// statement decides and acts by itself, and how many rows it touched is the answer.
type dialect struct {
	mark string // what parameters begin with: a "$1" is a name to SQLite, and counts where it stands first
	now  string // the time now, and not that of the transaction's beginning

	set, add, swap, deleteAny, deleteIf, clean string

	schema []string
	check  checker
}

// In PostgreSQL, now() stands still in a transaction and in a statement that waits for a row: a row
// that ended meanwhile would count as living, and one written after the wait would end early.
// clock_timestamp() goes on, also in the branch of a conflict, where it is asked after the wait.
// Only clean uses now(), which an index can serve, and which is never later.
var postgres = newDialect("$", "clock_timestamp()", "clock_timestamp() + $TTL::bigint * interval '1 millisecond'", dialect{
	clean: "DELETE FROM " + table + " WHERE e <= now() AND k IN (SELECT k FROM " + table +
		" WHERE e <= now() ORDER BY e LIMIT $1 FOR UPDATE SKIP LOCKED)",
	schema: []string{
		`CREATE TABLE IF NOT EXISTS ` + table + ` (
    k text COLLATE "C" PRIMARY KEY,
    v bytea NOT NULL,
    e timestamptz NOT NULL
)`,
		"CREATE INDEX IF NOT EXISTS " + table + "_e ON " + table + " (e)",
	},
	check: (*Store).checkPostgres,
})

// In SQLite the end is in milliseconds since 1970: a time.Time would become text with a zone, and be
// compared as such. The time stands still in a statement, but is first asked when it has the lock.
var sqlite = newDialect("?", sqliteNow, sqliteNow+" + $TTL", dialect{
	clean: "DELETE FROM " + table + " WHERE k IN (SELECT k FROM " + table + " WHERE e <= " + sqliteNow + " ORDER BY e LIMIT $1)",
	schema: []string{
		`CREATE TABLE IF NOT EXISTS ` + table + ` (
    k TEXT PRIMARY KEY,
    v BLOB NOT NULL,
    e INTEGER NOT NULL
) STRICT, WITHOUT ROWID`,
		"CREATE INDEX IF NOT EXISTS " + table + "_e ON " + table + " (e)",
	},
	check: (*Store).checkSQLite,
})

const sqliteNow = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

// newDialect writes the statements that are the same everywhere, but for the names of parameters.
func newDialect(mark, now, end string, d dialect) dialect {
	ends := func(parameter string) string { return strings.ReplaceAll(end, "$TTL", parameter) }
	insert := "INSERT INTO " + table + " AS o (k, v, e) VALUES ($1, $2, " + ends("$3") + ")" +
		" ON CONFLICT (k) DO UPDATE SET v = excluded.v, e = " + ends("$3")
	alive := " WHERE k = $1 AND e > " + now
	named := strings.NewReplacer("$", mark)
	d.mark, d.now = mark, now
	d.set = named.Replace(insert)
	d.add = named.Replace(insert + " WHERE o.e <= " + now)
	d.swap = named.Replace("UPDATE " + table + " SET v = $3, e = " + ends("$4") + alive + " AND v = $2")
	d.deleteAny = named.Replace("DELETE FROM " + table + alive)
	d.deleteIf = named.Replace("DELETE FROM " + table + alive + " AND v = $2")
	d.clean = named.Replace(d.clean)
	return d
}

// get is the statement that reads n rows.
func (d *dialect) get(n int) string {
	var b strings.Builder
	b.WriteString("SELECT k, v FROM " + table + " WHERE k IN (")
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.mark)
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteString(") AND e > " + d.now)
	return b.String()
}
