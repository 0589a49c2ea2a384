// Command worker is a program without users: it calls an API in its own name, with the client
// credentials grant, until it is told to stop. Its API is the program in ../own-api.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/signet-go/signet/oidcauth"
)

func main() {
	api := cmp.Or(os.Getenv("API_URL"), "http://localhost:8081")
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer:       os.Getenv("OIDC_ISSUER"),
		ClientID:     os.Getenv("OIDC_CLIENT_ID"),
		ClientSecret: os.Getenv("OIDC_CLIENT_SECRET"),
		Scopes:       []string{"orders:read"},
		Resource:     []string{api}, // whom the access token is for
		APIs:         []string{api}, // and the only place it is sent to
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := work(ctx, machine.Client(ctx), api); err != nil {
		log.Fatal(err)
	}
}

// work reports every minute until ctx ends, or until it makes no sense to try again.
func work(ctx context.Context, client *http.Client, api string) error {
	for ctx.Err() == nil {
		pause := time.Minute
		err := report(ctx, client, api)
		var refused *oidcauth.GrantError
		var down *oidcauth.UnavailableError
		switch {
		case errors.As(err, &refused):
			return err // the registration is wrong
		case errors.As(err, &down):
			pause = down.RetryAfter
		}
		if err != nil && ctx.Err() == nil {
			log.Printf("next try in %v: %v", pause, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// report does the worker's work once. The client gets a token when it needs one, and keeps it.
func report(ctx context.Context, client *http.Client, api string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/orders", http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", response.Status)
	}
	fmt.Printf("%s\n", body)
	return nil
}
