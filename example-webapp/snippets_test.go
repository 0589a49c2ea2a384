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
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/redis/go-redis/v9"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthotel"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
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
	_ = oidcauthtest.NewProvider
	_ = require.Equal
	_ = httptest.NewRecorder
	_ testing.TB
	_ = template.New
)

`

// snippetVariables are in scope of every snippet.
const snippetVariables = `package snippets

import (
	"context"
	"crypto"
	"crypto/tls"
	"database/sql"
	"net/http"

	"github.com/redis/go-redis/v9"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

var (
	auth                               *oidcauth.Authenticator
	api                                *oidcauth.ResourceServer
	mux                                *http.ServeMux
	config                             oidcauth.Config
	redisClient, client                redis.UniversalClient
	key                                crypto.Signer
	certificate                        tls.Certificate
	app, admin, handler, next, orders  http.Handler
	ctx                                context.Context
	w                                  http.ResponseWriter
	r                                  *http.Request
	keys                               []string
	newKey, oldKey, apiURL, secret     string
	db                                 *sql.DB
	sessions                           *session.Manager
)
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

// documentation lists the pages whose snippets are checked.
func documentation(t *testing.T) (pages []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/providers/*.md", "examples/*.md", "example-webapp/*.md", "example-webapp/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", pattern))
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	if len(pages) < 10 {
		t.Skip("the documentation is not here")
	}
	return pages
}

// What the README, the pages of the documentation and those of the examples show in Go compiles as it stands there.
func TestTheSnippetsOfTheDocumentationCompile(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	overlay, n := map[string]string{}, 0
	for _, page := range documentation(t) {
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
	require.Greater(t, n, 50)
	variables := filepath.Join(t.TempDir(), "variables.go")
	require.NoError(t, os.WriteFile(variables, []byte(snippetVariables), 0o600))
	overlay[filepath.Join(here, "snippets", "variables.go")] = variables
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, replace, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "./snippets").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Shell commands parse, and JSON is JSON.
func TestTheOtherSnippetsOfTheDocumentationParse(t *testing.T) {
	block := regexp.MustCompile("(?ms)^( *)```(sh|json)\n(.*?)^ *```$")
	n := 0
	for _, page := range documentation(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			n++
			source := strings.ReplaceAll("\n"+found[3], "\n"+found[1], "\n")
			if found[2] == "json" {
				require.True(t, json.Valid([]byte(source)), "%s: %s", page, source)
				continue
			}
			shell := exec.CommandContext(t.Context(), "sh", "-n")
			shell.Stdin = strings.NewReader(source)
			out, err := shell.CombinedOutput()
			require.NoError(t, err, "%s: %s\n%s", page, out, source)
		}
	}
	require.Greater(t, n, 10)
}

// snippetSource makes a file of what is a program already, or else statements. Variables that a snippet only declares count as used.
func snippetSource(block string, n int) string {
	if strings.HasPrefix(strings.TrimSpace(block), "package ") {
		return strings.NewReplacer("package main", "package snippets", "func main()", fmt.Sprintf("func snippet%d()", n)).Replace(block)
	}
	if strings.HasPrefix(block, "func ") || strings.HasPrefix(block, "type ") || strings.HasPrefix(block, "const ") {
		return snippetNames + block
	}
	var uses strings.Builder
	for _, found := range regexp.MustCompile(`(?m)^(\w+)(?:, (\w+))? := `).FindAllStringSubmatch(block, -1) {
		for _, name := range found[1:] {
			if name != "" && name != "_" {
				uses.WriteString("_ = " + name + "\n")
			}
		}
	}
	return snippetNames + fmt.Sprintf("func snippet%d() {\n%s%s}\n", n, block, uses.String())
}
