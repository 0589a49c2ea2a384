package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
)

// maxReturnTo bounds a way back: a path with its query. A longer one loses its query.
const maxReturnTo = 2048

// Why a way back is lost. They end up in the log.
var (
	errReturnLong     = fmt.Errorf("it is longer than %d bytes", maxReturnTo)
	errReturnForeign  = errors.New(`it does not begin with one "/"`)
	errReturnBytes    = errors.New("its path has a backslash, a control character or a space, or its query a control character")
	errReturnEncoding = errors.New("its path has non-ASCII bytes, a fragment or a malformed escape")
	errReturnTricks   = errors.New("its path, once decoded, has an empty or dot segment, a backslash or a control character")
	errReturnOwn      = errors.New("it is one of the Authenticator's own routes")

	// ErrNoRoom is for the caller of [Logins.Begin].
	ErrNoRoom = errors.New("the cookies of pending logins leave no room for it")
)

// Seen returns the way back to what r asked for, byte for byte as the browser sees it, or the start
// page. Whatever one of our guards was asked for is a page of the application, however its path is
// spelled: escapes are data there (RFC 3986 §2.2).
func (s *Site) Seen(r *http.Request) string {
	return s.wayBack(r.Context(), s.Base+printable(RequestURI(r)), func(raw string) error {
		return checkSeen(strings.TrimPrefix(raw, s.Base))
	})
}

// ReturnTo returns the way back that somebody wished for, or the start page. A wish may come from
// any site, so that it must be a plain path.
func (s *Site) ReturnTo(ctx context.Context, raw string) string {
	if raw == "" {
		return s.Home()
	}
	return s.wayBack(ctx, raw, s.checkWish)
}

// wayBack returns raw if check lets it pass, without its query where that makes it too long, else
// the start page. Each loss is told to the log, without the query, which may hold secrets.
func (s *Site) wayBack(ctx context.Context, raw string, check func(string) error) string {
	kept, long := shortened(raw)
	err := check(kept)
	if err == nil && len(kept) > maxReturnTo {
		err, long = errReturnLong, nil
	}
	if err != nil {
		kept = s.Home()
	}
	if err = errors.Join(long, err); err != nil {
		lost, _, _ := strings.Cut(raw, "?")
		s.LogLost(ctx, lost, kept, err)
	}
	return kept
}

// LogLost tells that a browser comes back to kept in place of the page at lost.
func (s *Site) LogLost(ctx context.Context, lost, kept string, err error) {
	kept, _, _ = strings.Cut(kept, "?")
	s.Log.LogAttrs(ctx, slog.LevelInfo, "way back lost", slog.String("issuer", s.Issuer),
		slog.String("path", logtext.Clip(lost, 200)), slog.String("instead", logtext.Clip(kept, 200)), logtext.Reason(err))
}

// printable returns a request-target with its bytes escaped where they are no text, which a
// transaction could not keep. Browsers, which escape what they send, never come here.
func printable(target string) string {
	if utf8.ValidString(target) {
		return target
	}
	var b strings.Builder
	for i := range len(target) {
		if c := target[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// shortened returns raw, without its query if it is too long.
func shortened(raw string) (string, error) {
	if len(raw) <= maxReturnTo {
		return raw, nil
	}
	short, _, _ := strings.Cut(raw, "?")
	return short, errReturnLong
}

// checkSeen reports why raw, sent as a Location as it stands, might lead off this site: browsers
// take two slashes, or a slash and a backslash, for the beginning of a host, and drop tabs and line
// ends before they look.
func checkSeen(raw string) error {
	if !strings.HasPrefix(raw, "/") || len(raw) > 1 && (raw[1] == '/' || raw[1] == '\\') {
		return errReturnForeign
	}
	rawPath, query, _ := strings.Cut(raw, "?")
	if strings.ContainsAny(rawPath, `\ `) || hasControl(rawPath) || hasControl(query) {
		return errReturnBytes
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// checkWish reports why raw is no way back that anybody may wish for: a path that, once decoded and
// cleaned, is another path or none of the application's. It refuses more than browsers need, for
// the sake of proxies that decode and clean before they route: what is refused only loses its way
// back.
func (s *Site) checkWish(raw string) error {
	plain, err := localPath(raw)
	if err == nil && s.isOwnRoute(plain) {
		return errReturnOwn
	}
	return err
}

// localPath returns raw's path, decoded.
func localPath(raw string) (string, error) {
	if err := checkSeen(raw); err != nil {
		return "", err
	}
	rawPath, query, _ := strings.Cut(raw, "?")
	if strings.Contains(rawPath+query, "#") || strings.ContainsFunc(rawPath, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return "", errReturnEncoding
	}
	if strings.Contains(rawPath, "//") {
		return "", errReturnTricks
	}
	plain, err := url.PathUnescape(rawPath)
	if err != nil {
		return "", errReturnEncoding
	}
	// An escaped percent sign is data. Where what it stands before would be a trick after a second
	// decoding, though, somebody on the way may decode twice.
	twice, err := url.PathUnescape(plain)
	if tricky(plain) || err == nil && tricky(twice) {
		return "", errReturnTricks
	}
	return plain, nil
}

// tricky reports whether a decoded path leads elsewhere than it seems to.
func tricky(p string) bool {
	if strings.HasPrefix(p, "//") || strings.Contains(p, `\`) || hasControl(p) {
		return true
	}
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// isOwnRoute reports whether p, a decoded path as the browser sees it, leads to one of the own
// routes, or to those of an Authenticator that shares the sessions.
func (s *Site) isOwnRoute(p string) bool {
	p = path.Clean(p)
	return s.Serves(p) || s.Others(p)
}

// Serves reports whether a clean path, as the browser sees it, is, or is below, what is served here.
func (s *Site) Serves(p string) bool {
	if s.Prefix != "/" && Below(p, s.At("")) {
		return true
	}
	for route := range s.Own {
		if strings.EqualFold(s.Base+route, p) { // a proxy before us may not tell them apart
			return true
		}
	}
	return false
}

// sentFrom returns the page of this site that r was sent from, by return_to's rules, or "".
func (s *Site) sentFrom(r *http.Request) string {
	from := r.Header.Get("HX-Current-URL")
	if from == "" {
		from = r.Referer()
	}
	from, _, _ = strings.Cut(from, "#")
	return s.local(from)
}

// local returns path and query of a URL of this site, byte for byte, "" for any other.
func (s *Site) local(raw string) string {
	u, err := url.Parse(raw)
	ours, _ := url.Parse(s.Origin)
	if err != nil || u.Host == "" || u.User != nil || outbound.Origin(u) != outbound.Origin(ours) {
		return ""
	}
	_, rest, _ := strings.Cut(raw, "//")
	if at := strings.IndexAny(rest, "/?#"); at >= 0 && rest[at] == '/' {
		return rest[at:]
	}
	return ""
}

// PageAt returns the way back to the page with this URL, which somebody else says was asked for, or
// the start page.
func (s *Site) PageAt(ctx context.Context, pageURL string) string {
	page := s.local(pageURL)
	if !strings.HasPrefix(page, s.Home()) {
		page = ""
	}
	return s.ReturnTo(ctx, page)
}

// PageOf returns the page that a login offered in the answer to r comes back to: the one that r
// opens, else the one that it was sent from, else the start page.
func (s *Site) PageOf(r *http.Request) string {
	if !s.IsRoute(r.URL.Path) && IsPageView(r) {
		return s.Seen(r)
	}
	from := s.sentFrom(r)
	if errors.Is(s.checkWish(from), errReturnOwn) {
		return s.Home() // one of our pages, which led nowhere yet
	}
	return s.ReturnTo(r.Context(), from)
}

// RequestURI is the path and query that this process was asked for, also below http.StripPrefix.
func RequestURI(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
