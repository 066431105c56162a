// Command latchkey is the identity provider and the tool to run it with; see latchkey --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/latchkey-id/latchkey/internal/app"
)

// version is set by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(app.Run(ctx, os.Args[1:], app.Env{
		Version: version, Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
