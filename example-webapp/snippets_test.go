package main_test

import (
	"encoding/json"
	"fmt"
	"go/format"
	"io/fs"
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
	"testing/synctest"
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
	_ = synctest.Test
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
	app, admin, handler, home, next, orders http.Handler
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

// documentation lists the pages whose snippets are checked: all that there are.
func documentation(t *testing.T) (pages []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			pages = append(pages, path)
		}
		return nil
	}))
	if len(pages) < 10 {
		t.Skip("the documentation is not here")
	}
	return pages
}

// What the README, the pages of the documentation and those of the examples show in Go compiles as it stands there.
func TestTheSnippetsOfTheDocumentationCompile(t *testing.T) {
	overlay, n := newOverlay(t), 0
	overlay.add("variables.go", snippetVariables)
	for _, page := range documentation(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?ms)^( *)```go\n(.*?)^ *```$").FindAllStringSubmatch(compiled(page, string(text)), -1) {
			n++
			source := strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
			overlay.add(fmt.Sprintf("%s_%d.go", strings.TrimSuffix(filepath.Base(page), ".md"), n), snippetSource(source, n))
		}
	}
	require.Greater(t, n, 50)
	overlay.run("build")
}

// An overlay is a package of files that are nowhere but in the eyes of the go command.
type overlay struct {
	t       *testing.T
	folder  string // where the package seems to be
	replace map[string]string
}

func newOverlay(t *testing.T) *overlay {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	return &overlay{t: t, folder: filepath.Join(here, "snippets"), replace: map[string]string{}}
}

func (o *overlay) add(name, source string) {
	o.t.Helper()
	file := filepath.Join(o.t.TempDir(), "snippet.go")
	require.NoError(o.t, os.WriteFile(file, []byte(source), 0o600))
	o.replace[filepath.Join(o.folder, name)] = file
}

// run has a go command, which has to succeed, work on the package.
func (o *overlay) run(command ...string) {
	o.t.Helper()
	replace, err := json.Marshal(map[string]any{"Replace": o.replace})
	require.NoError(o.t, err)
	file := filepath.Join(o.t.TempDir(), "overlay.json")
	require.NoError(o.t, os.WriteFile(file, replace, 0o600))
	out, err := exec.CommandContext(o.t.Context(), "go", append(command, "-overlay", file, "./snippets")...).CombinedOutput()
	require.NoError(o.t, err, "%s", out)
}

// testsVariables are what the tests of testing.md take for granted.
const testsVariables = `package snippets

import (
	"net/http"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

var (
	auth, _ = oidcauth.New(oidcauth.Config{Issuer: "https://id.example.com", ClientID: "shop",
		RedirectURL: "https://shop.example.com/auth/callback", Session: session.Config{Keys: []string{session.NewKey()}}})
	handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
)
`

// The tests that testing.md shows pass.
func TestTheTestsOfTheDocumentationPass(t *testing.T) {
	page, err := os.ReadFile("../docs/testing.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	overlay, tests := newOverlay(t), 0
	overlay.add("variables_test.go", testsVariables)
	for i, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		if source := "\n" + block[1]; strings.Contains(source, "\nfunc ") {
			tests += strings.Count(source, "\nfunc Test")
			overlay.add(fmt.Sprintf("shown%d_test.go", i), snippetNames+source)
		}
	}
	binary := filepath.Join(t.TempDir(), "shown.test")
	overlay.run("test", "-c", "-vet=off", "-o", binary)
	run := exec.CommandContext(t.Context(), binary, "-test.v")
	run.Dir = t.TempDir() // the package's own folder is not there
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.GreaterOrEqual(t, tests, 5)
	require.Equal(t, tests, strings.Count(string(out), "--- PASS"), "%s", out)
}

// Shell commands parse, JSON is JSON, and Go that needs other modules than ours is Go.
func TestTheOtherSnippetsOfTheDocumentationParse(t *testing.T) {
	block := regexp.MustCompile("(?ms)^( *)```(sh|json|go)\n(.*?)^ *```$")
	n := 0
	for _, page := range documentation(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			n++
			source := strings.ReplaceAll("\n"+found[3], "\n"+found[1], "\n")
			switch found[2] {
			case "json":
				require.True(t, json.Valid([]byte(source)), "%s: %s", page, source)
				continue
			case "go":
				_, err := format.Source([]byte(source))
				require.NoError(t, err, "%s: %s", page, source)
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
	if strings.Contains(block, "\nfunc ") { // whole functions
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
