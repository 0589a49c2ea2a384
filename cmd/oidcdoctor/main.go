// Command oidcdoctor examines an OpenID provider before an application meets it: it fetches what
// the provider publishes, judges that by the library's own rules, and says in plain words what will
// work, what won't, and what to write in oidcauth.Config.
//
//	go run github.com/signet-go/signet/cmd/oidcdoctor@latest https://id.example.com/realms/main
//	go run github.com/signet-go/signet/cmd/oidcdoctor@latest -client-id shop -redirect https://shop.example.com/auth/callback ISSUER
//
// It reads what anybody may read. With -client-id and -redirect it also sends one authorization
// request as a browser would (Core §3.1.2.1, prompt=none), and follows it nowhere. It never asks for
// a secret, never sends one, and writes nothing anywhere.
//
// Exit codes, for scripts: 0 users can sign in; 1 something is in the way; 2 the command line makes
// no sense, which "go run" turns into 1: scripts that care go install the command. Start reading at examine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// Exit codes.
const (
	exitWell    = 0
	exitTrouble = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A patient is what the command line says about the provider and its client.
type patient struct {
	issuer   string
	clientID string
	redirect string
	timeout  time.Duration
}

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p, err := parseArgs(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitWell
	}
	if err != nil {
		fmt.Fprintln(stderr, "oidcdoctor:", err)
		return exitUsage
	}
	r := examine(ctx, p)
	r.print(stdout)
	if r.has(trouble) {
		return exitTrouble
	}
	return exitWell
}

// parseArgs reads the command line; flags may stand on both sides of the issuer.
func parseArgs(args []string, stderr io.Writer) (p patient, err error) {
	flags := flag.NewFlagSet("oidcdoctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&p.clientID, "client-id", "", "the client's `ID`; with -redirect, one authorization request tries it")
	flags.StringVar(&p.redirect, "redirect", "", "the redirect `URI` that is registered for the client")
	flags.DurationVar(&p.timeout, "timeout", 10*time.Second, "bound of one call to the provider")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: oidcdoctor [-client-id ID -redirect URI] [-timeout 10s] ISSUER")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if flags.NArg() == 0 {
		return p, errors.New("expected an issuer, such as https://id.example.com/realms/main (-h explains)")
	}
	p.issuer = flags.Arg(0)
	if err := flags.Parse(flags.Args()[1:]); err != nil {
		return p, err
	}
	switch {
	case flags.NArg() > 0:
		return p, fmt.Errorf("expected one issuer, got another argument %q", flags.Arg(0))
	case (p.clientID == "") != (p.redirect == ""):
		return p, errors.New("-client-id and -redirect belong together: give both or neither")
	case p.timeout < time.Second || p.timeout > time.Minute:
		return p, errors.New("-timeout: expected 1s to 1m")
	}
	return p, nil
}
