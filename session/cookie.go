package session

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	chunkSize  = 4096 // bytes of one cookie with name and attributes that every browser keeps (RFC 6265 §6.1)
	chunkLimit = 9    // indexes a name may carry: one digit
	warnSize   = 8 << 10
	countBase  = 'a' - 1 // letters, since a digit is the version of what follows: one never passes for the other
)

// jar is what a request carries of our cookies: the value without index, and those with ".1" to
// ".9".
type jar struct {
	chunks  [chunkLimit]string
	present [chunkLimit]bool
	broken  bool // a name twice

	bound  string // the bound cookie of a device
	bounds int    // how many there are
}

// scan picks our cookies out of the Cookie header without parsing the others.
func (f *format) scan(j *jar, header http.Header) {
	for _, line := range header["Cookie"] {
		for line != "" {
			pair := line
			if end := strings.IndexByte(line, ';'); end >= 0 {
				pair, line = line[:end], line[end+1:]
			} else {
				line = ""
			}
			for pair != "" && (pair[0] == ' ' || pair[0] == '\t') {
				pair = pair[1:]
			}
			if strings.HasPrefix(pair, f.name) {
				j.add(pair[len(f.name):])
			}
		}
	}
}

// add takes what follows our name in a pair, if it is ours.
func (j *jar) add(rest string) {
	suffix, value, _ := strings.Cut(strings.TrimRight(rest, " \t"), "=")
	if i, ours := chunkIndex(suffix); ours {
		j.broken = j.broken || j.present[i]
		j.chunks[i], j.present[i] = value, true
	} else if suffix == boundSuffix {
		j.bound = value
		j.bounds++
	}
}

// chunkIndex reads what follows our name: nothing, or a dot and a digit.
func chunkIndex(suffix string) (i int, ours bool) {
	if suffix == "" {
		return 0, true
	}
	if len(suffix) == 2 && suffix[0] == '.' && '1' <= suffix[1] && suffix[1] < '0'+chunkLimit {
		return int(suffix[1] - '0'), true
	}
	return 0, false
}

// empty reports whether the request carried none of our cookies.
func (j *jar) empty() bool { return j.present == [chunkLimit]bool{} }

// count reads the number of chunks from the first one. It is no more than a letter here; that it is
// right shows when the value opens, because the count is part of what the seal binds.
func (j *jar) count(most int) (n int, ok bool) {
	if j.broken || len(j.chunks[0]) < 2 {
		return 0, false
	}
	n = int(j.chunks[0][0] - countBase) // a byte below wraps to more than most
	if n < 1 || n > most {
		return 0, false
	}
	for i := range n {
		if j.chunks[i] == "" || len(j.chunks[i]) > chunkSize {
			return 0, false
		}
	}
	return n, true
}

// text joins the n chunks. Chunks beyond n are a stale tail, which does not matter.
func (j *jar) text(n int) string {
	if n == 1 {
		return j.chunks[0]
	}
	return strings.Join(j.chunks[:n], "")
}

// format is how sessions stand in cookies: names, attributes and sizes. Immutable.
type format struct {
	name          string
	cookie        http.Cookie // every attribute but value and Max-Age
	before, after string      // of the number of Max-Age in a Set-Cookie line, behind the value
	transient     string      // what stands behind the value without a Max-Age
	chunks        int
	room          [chunkLimit]int // bytes of value in each chunk
}

// newFormat lets net/http write the attributes once, and measures how much value fits next to them,
// with the widest Max-Age, so that the number of chunks depends on nothing but the length of the
// text.
func newFormat(c Config) *format {
	f := &format{name: c.cookieName(), chunks: c.MaxChunks}
	f.cookie = http.Cookie{
		Domain: c.CookieDomain, Path: c.CookiePath,
		Secure: !c.InsecureCookie, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if c.SameSiteStrict {
		f.cookie.SameSite = http.SameSiteStrictMode
	}
	before, after, _ := strings.Cut(f.like(f.name, "", time.Second).String(), "Max-Age=1")
	f.before, f.after = strings.TrimPrefix(before, f.name+"=")+"Max-Age=", after
	f.transient = strings.TrimSuffix(f.before, "; Max-Age=") + f.after
	for i := range f.room {
		f.room[i] = chunkSize - len(f.line(i, nil, maxLifetime, true))
	}
	return f
}

// line makes the Set-Cookie line with index i. A life of zero or less expires the cookie; one that
// is not lasting has its life from the browser.
func (f *format) line(i int, value []byte, life time.Duration, lasting bool) string {
	index := ""
	if i > 0 {
		index = "." + strconv.Itoa(i)
	}
	if !lasting {
		return f.name + index + "=" + string(value) + f.transient
	}
	return f.name + index + "=" + string(value) + f.before + strconv.Itoa(maxAge(life)) + f.after
}

// like makes another cookie, with the attributes of the session's. A life of zero or less expires
// it.
func (f *format) like(name, value string, life time.Duration) *http.Cookie {
	cookie := f.cookie
	cookie.Name, cookie.Value, cookie.MaxAge = name, value, maxAge(life)
	if cookie.MaxAge == 0 {
		cookie.MaxAge = -1 // as net/http writes 0
	}
	return &cookie
}

// maxAge is life in seconds, rounded up: the browser must not drop a cookie while the session
// lives.
func maxAge(life time.Duration) int { return max(int((life+time.Second-1)/time.Second), 0) }

// count is the number of chunks for a sealed text of so many bytes, plus the letter that says so.
func (f *format) count(size int) (n int, err error) {
	if n = f.need(size); n > f.chunks {
		return 0, fmt.Errorf("%w: %d bytes sealed, %d cookies of %d bytes are permitted: set Config.ServerSide to keep "+
			"sessions in the Store, or put less into them", ErrTooLarge, size, f.chunks, chunkSize)
	}
	return n, nil
}

// need is the number of chunks for a text of so many bytes; more than chunkLimit when none is
// enough.
func (f *format) need(size int) int {
	size++ // the count
	n := 0
	for size > 0 && n < chunkLimit {
		size -= f.room[n]
		n++
	}
	if size > 0 {
		return chunkLimit + 1
	}
	return n
}

// write sets the cookies of a text, cut into chunks, and expires those that the request carried
// beyond them. There is no empty last one. The range is fixed: nothing that a client says makes it
// longer.
func (f *format) write(h http.Header, carried *jar, text []byte, life time.Duration, lasting bool) {
	for i := range chunkLimit {
		switch {
		case len(text) > 0:
			size := min(f.room[i], len(text))
			h.Add("Set-Cookie", f.line(i, text[:size], life, lasting))
			text = text[size:]
		case carried.present[i]:
			h.Add("Set-Cookie", f.line(i, nil, 0, true))
		}
	}
}
