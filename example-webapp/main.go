// Command example-webapp is signet's show-case and test bench: a small web application behind
// OpenID Connect, configured by its environment. Without any configuration it brings its own
// provider.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/signet-go/signet/example-webapp/internal/devprovider"
	"github.com/signet-go/signet/example-webapp/internal/linewriter"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/serving"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/example-webapp/internal/store"
)

// main is run with the process around it: signals in, exit code out. SIGQUIT keeps its meaning in
// Go, a dump of all goroutines, for the day on which something hangs.
func main() {
	// A log reader that went away must not end the app: writes fail instead of raising SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := command(os.Args[1:])(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "example-webapp:", err)
		os.Exit(1)
	}
}

// command is what the arguments ask for: none to serve, and -migrate to make the table that a
// database has to have.
func command(args []string) func(ctx context.Context, getenv func(string) string, out io.Writer) error {
	switch {
	case len(args) == 0:
		return run
	case len(args) == 1 && (args[0] == "-migrate" || args[0] == "--migrate"):
		return migrate
	}
	return func(context.Context, func(string) string, io.Writer) error {
		return fmt.Errorf("want no argument, or -migrate; got %q: the configuration is in the environment", args)
	}
}

// migrate makes the table in the database of DATABASE_URL.
func migrate(ctx context.Context, getenv func(string) string, out io.Writer) error {
	c, err := settings.Parse(getenv)
	if err != nil {
		return err
	}
	return store.Migrate(ctx, c, out)
}

// run serves until ctx ends and the requests in flight are answered. Everything it has to say goes
// to out.
//
// A mistake in the configuration is an error before anything listens: half a configuration is none.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	c, err := settings.Parse(getenv)
	if err != nil {
		return err
	}
	lines := linewriter.New(out)
	defer lines.Close()
	log := slog.New(slog.NewTextHandler(lines, nil))

	servers, err := start(c, log)
	if err != nil {
		return err
	}
	defer servers.Close()
	if c.RandomKeys {
		log.Warn("SESSION_KEYS is not set: random keys; everybody is signed out at the next start")
	}
	fmt.Fprint(lines, banner(c))
	return servers.Serve(ctx, log)
}

// start opens the ports and builds what answers on them.
//
// ADDR is bound first: a taken port is the likeliest mistake, and costs nothing then. The embedded
// provider comes before the app, whose configuration is complete only when the provider has a port
// and knows the client.
func start(c *settings.Config, log *slog.Logger) (*serving.Servers, error) {
	s := &serving.Servers{}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("ADDR: %w", err)
	}
	if c.Embedded {
		p, err := devprovider.Start(devprovider.App{
			OIDC: &c.OIDC, Scopes: c.Scopes(), API: c.API.String(), Static: reply.Static(assets, http.NotFound),
			PostLogoutURI: c.BaseURL.JoinPath("/auth/signed-out").String(),
		}, log)
		if err != nil {
			listener.Close()
			return nil, err
		}
		s.Add(p.Listener, serving.NewServer(p.Handler, c.OIDC.Timeout), nil)
	}
	a, err := newApp(c, log)
	if err == nil {
		s.Last = a.close
		err = a.addAdmin(s)
	}
	if err != nil {
		listener.Close()
		s.Close()
		return nil, err
	}
	s.Add(listener, serving.NewServer(a.handler(), c.OIDC.Timeout), a.providers.Shutdown)
	return s, nil
}

// addAdmin adds the operator's listener, where there is one.
func (a *app) addAdmin(s *serving.Servers) error {
	if a.config.AdminAddr == "" {
		return nil
	}
	listener, err := net.Listen("tcp", a.config.AdminAddr)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	s.Add(listener, serving.NewServer(a.telemetry.Handler(a.providers.Auths()...), a.config.OIDC.Timeout), nil)
	return nil
}

// banner says where to click.
func banner(c *settings.Config) string {
	text := "\n  signet example\n\n    app       " + c.BaseURL.String() + "\n    provider  " + c.OIDC.Issuer + "\n"
	if c.Second != nil {
		text += "    second    " + c.Second.OIDC.Issuer + "\n"
	}
	if c.Embedded {
		text += "              embedded, for development only\n\n  demo users\n\n"
		for _, u := range devprovider.Users {
			text += fmt.Sprintf("    %-8s  password %-12s  roles %v\n", u.Username, u.Password, u.Roles)
		}
	}
	return text + "\n  Open " + c.BaseURL.JoinPath("/profile").String() + " to sign in. Ctrl+C stops.\n\n"
}
