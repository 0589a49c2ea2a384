package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// snippetNames are what the pages' snippets take for granted: the reader's own variables and imports.
const snippetNames = `package snippets

import (
	"context"
	"crypto"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"html/template"
	"log"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthotel"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/signet-go/signet/session/sqlstore"
)

var (
	_ context.Context
	_ crypto.Signer
	_ json.Marshaler
	_ = errors.New
	_ expvar.Var
	_ = fmt.Sprint
	_ = log.Fatal
	_ = maps.Keys[map[int]int]
	_ http.Handler
	_ url.Values
	_ = os.Getenv
	_ = signal.Notify
	_ = slices.Sort[[]int]
	_ = strings.Fields
	_ syscall.Signal
	_ time.Time
	_ oidcauth.Config
	_ session.Config
	_ = redisstore.New
	_ = sqlstore.NewPostgres
	_ redis.Options
	_ tls.Certificate
	_ sql.DB
	_ = oidcauthotel.New
	_ = template.New
)

func snippet%d() {
	var (
		auth                          *oidcauth.Authenticator
		mux                           *http.ServeMux
		config                        oidcauth.Config
		redisClient, client           redis.UniversalClient
		key                           crypto.Signer
		certificate                   tls.Certificate
		app, admin, handler, next     http.Handler
		ctx                           context.Context
		r                             *http.Request
		keys                          []string
		newKey, oldKey, apiURL        string
		db                            *sql.DB
	)
	for range 0 {
		_, _, _, _, _, _, _, _, _, _, _, _ = auth, mux, config, redisClient, client, key, certificate, app, admin, handler, next, ctx
		_, _, _, _, _, _ = r, keys, newKey, oldKey, apiURL, db
	}
`

// needsMore are the recipes that need other modules, or declare functions.
var needsMore = regexp.MustCompile(`^(chi|echo|gin|gRPC-gateway|WebSockets and server-sent events)\n`)

// compiled returns what of a page has to compile.
func compiled(page, text string) string {
	if filepath.Base(page) != "recipes.md" {
		return text
	}
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n## "), needsMore.MatchString), "\n## ")
}

// What the README, the providers' pages, the operators' page and the recipes show in Go compiles as it stands there.
func TestTheSnippetsOfTheDocumentationCompile(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	pages, err := filepath.Glob(filepath.Join(here, "..", "docs", "providers", "*.md"))
	require.NoError(t, err)
	if len(pages) == 0 {
		t.Skip("the documentation is not here")
	}
	pages = append(pages, filepath.Join(here, "..", "docs", "forward-auth.md"))
	pages = append(pages, filepath.Join(here, "..", "README.md"), filepath.Join(here, "..", "docs", "operations.md"),
		filepath.Join(here, "..", "docs", "recipes.md"), filepath.Join(here, "..", "docs", "users.md"))
	overlay, n := map[string]string{}, 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?ms)^( *)```go\n(.*?)^ *```$").FindAllStringSubmatch(compiled(page, string(text)), -1) {
			n++
			source := strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
			file := filepath.Join(t.TempDir(), "snippet.go")
			require.NoError(t, os.WriteFile(file, []byte(snippetSource(source, n)), 0o600))
			name := fmt.Sprintf("%s_%d.go", strings.TrimSuffix(filepath.Base(page), ".md"), n)
			overlay[filepath.Join(here, "snippets", name)] = file
		}
	}
	require.Greater(t, n, 20)
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, replace, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "./snippets").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// snippetSource makes a file of what is a program already, or else statements. Variables that a snippet only declares count as used.
func snippetSource(block string, n int) string {
	if strings.HasPrefix(strings.TrimSpace(block), "package ") {
		return strings.NewReplacer("package main", "package snippets", "func main()", fmt.Sprintf("func snippet%d()", n)).Replace(block)
	}
	var uses strings.Builder
	for _, found := range regexp.MustCompile(`(?m)^(\w+)(?:, (\w+))? := `).FindAllStringSubmatch(block, -1) {
		for _, name := range found[1:] {
			if name != "" && name != "_" {
				uses.WriteString("_ = " + name + "\n")
			}
		}
	}
	return fmt.Sprintf(snippetNames, n) + "{\n" + block + uses.String() + "}\n}\n"
}
