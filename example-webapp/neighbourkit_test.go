//go:build providers

package main_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// packages returns a folder for a neighbour's packages, and installs them there once, with a command of their registry. Where
// that fails, the test is skipped: the registry is not there.
func packages(t *testing.T, name string, install ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	folder := filepath.Join(cache, "signet-providers", name)
	if _, err := os.Stat(filepath.Join(folder, "complete")); err == nil {
		return folder
	}
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.MkdirAll(folder, 0o700))
	if _, err := exec.LookPath(install[0]); err != nil {
		t.Skip(install[0] + " is not installed")
	}
	c := exec.Command(install[0], install[1:]...)
	c.Dir = folder
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("%s does not get its packages: %v\n%s", name, err, out)
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "complete"), nil, 0o600))
	return folder
}

// ask is a request of an operator's, whose answer is 2xx.
func ask(t *testing.T, method, address, contentType, body string, header ...string) string {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Less(t, resp.StatusCode, 300, "%s %s: %s", method, address, answer)
	return string(answer)
}

// A background is a provider's process, which can be started again.
type background struct {
	t    *testing.T
	make func() *exec.Cmd
	cmd  *exec.Cmd
	up   string // the address that answers when it is up
}

func (p *background) run() {
	p.t.Helper()
	p.cmd = p.make()
	log, err := os.Create(filepath.Join(p.t.TempDir(), "log"))
	require.NoError(p.t, err)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(p.t, p.cmd.Start())
	p.t.Cleanup(func() {
		p.end()
		log.Close()
		if p.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			p.t.Logf("it wrote: …%s", text[max(0, len(text)-2000):])
		}
	})
	require.Eventually(p.t, func() bool {
		resp, err := http.Get(p.up)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 10*time.Minute, 100*time.Millisecond, "it does not come up")
}

func (p *background) end() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *background) again() { p.t.Helper(); p.end(); p.run() }

// form is a form's content.
func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
