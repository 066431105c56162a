package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"
)

// Exit codes (design: fixed points).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Env is the world that a command sees.
type Env struct {
	Version        string
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Now is the server's own clock; nil is the real one.
	Now func() time.Time
}

func (e Env) now() func() time.Time {
	if e.Now == nil {
		return time.Now
	}
	return e.Now
}

// commands are the command line.
type commands struct {
	Dev      devCommand       `cmd:"" help:"Run everything embedded, with sample people, and texts shown in a browser."`
	Serve    serveCommand     `cmd:"" help:"Run the server."`
	Migrate  migrateCommand   `cmd:"" help:"The database schema."`
	HR       hrCommand        `cmd:"" name:"hr" help:"The people, as HR knows them."`
	Users    usersCommand     `cmd:"" help:"Who can sign in, and as what."`
	Sessions sessionsCommand  `cmd:"" help:"Who is signed in."`
	SMS      smsCommand       `cmd:"" name:"sms" help:"Texts: what became of them, what they cost, and a test."`
	Blocks   blocksCommand    `cmd:"" help:"Whom limits refuse: see and lift."`
	Keys     keysCommand      `cmd:"" help:"The keys that sign tokens: see, rotate, revoke."`
	Config   configCommand    `cmd:"" help:"The settings."`
	Doctor   doctorCommand    `cmd:"" help:"Check each thing that Latchkey depends on and say what is wrong."`
	Version  kong.VersionFlag `help:"Print the version and exit."`
}

// errReported means that the command has said itself what went wrong.
var errReported = errors.New("reported")

// usageError is a mistake in the call itself, which kong could not see.
type usageError struct{ error }

// Run executes the command in args and returns the exit code. It returns when the command is done,
// or, for a server, when ctx ends and all is drained.
func Run(ctx context.Context, args []string, env Env) int {
	exited := -1
	parser, err := kong.New(&commands{},
		kong.Name("latchkey"),
		kong.Description("Passwordless sign-in for a workforce: a phone number, a code by text, a token."),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(code int) { exited = code; panic(exitNow{}) }),
		kong.Vars{"version": env.Version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(env.Stderr, "latchkey:", err)
		return exitFailed
	}
	var parsed *kong.Context
	if code, done := catchExit(&exited, func() { parsed, err = parser.Parse(args) }); done { // --help, --version
		return code
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "latchkey: %v\nTry latchkey --help.\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	switch err := parsed.Run(env); {
	case err == nil:
		return exitDone
	case errors.As(err, &usageError{}):
		fmt.Fprintf(env.Stderr, "latchkey: %v\n", err)
		return exitUsage
	case !errors.Is(err, errReported):
		fmt.Fprintf(env.Stderr, "latchkey: %v\n", err)
	}
	return exitFailed
}

// exitNow unwinds the parser when it has printed help or the version: it would go on otherwise.
type exitNow struct{}

func catchExit(code *int, parse func()) (exit int, done bool) {
	defer func() {
		if cause := recover(); cause != nil {
			if _, ours := cause.(exitNow); !ours {
				panic(cause)
			}
			exit, done = *code, true
		}
	}()
	parse()
	return 0, false
}
