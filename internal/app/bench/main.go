package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/latchkey-id/latchkey/internal/app/bench/bare"
	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// bareCommand makes this program the bare handler.
const bareCommand = "bare"

// options are the command line.
type options struct {
	latchkey string
	duration time.Duration
	rounds   int
	workers  int
	sessions int
	rush     time.Duration
	only     []string
	output   string
}

// The parts that can be measured, each without the others.
const (
	signInPart     = "signin"
	startsPart     = "starts"
	refreshPart    = "refresh"
	introspectPart = "introspect"
	listsPart      = "lists"
	signaturesPart = "signatures"
)

var parts = []string{signInPart, startsPart, refreshPart, introspectPart, listsPart, signaturesPart}

// measures reports whether one of these is to be measured.
func (o options) measures(these ...string) bool {
	return slices.ContainsFunc(these, func(part string) bool { return slices.Contains(o.only, part) })
}

// minSessions is the fewest filled-in sessions of which there are enough for everything.
const minSessions = 10_000

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == bareCommand {
		var settings bare.Settings
		if err := json.NewDecoder(os.Stdin).Decode(&settings); err != nil {
			return fmt.Errorf("read the settings of the bare handler: %w", err)
		}
		return bare.Run(ctx, settings)
	}
	opts, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	measured, err := bench(ctx, opts)
	if err != nil {
		return err
	}
	return measured.print(os.Stdout, opts.output)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.latchkey, "latchkey", "bin/latchkey", "the program to measure")
	flags.DurationVar(&o.duration, "duration", 2*time.Second, "how long each measurement of sign-ins, starts, refreshes and introspections lasts")
	flags.IntVar(&o.rounds, "rounds", 9, "how often each of them is measured, by turns; the median counts")
	flags.IntVar(&o.workers, "workers", 4, "how many people sign in, refresh or are asked after at once")
	flags.IntVar(&o.sessions, "sessions", 1_000_000, fmt.Sprintf("how many live sessions the status list is measured with, %d to %d", minSessions, statuslist.Size))
	flags.DurationVar(&o.rush, "rush", time.Minute, fmt.Sprintf("in how long %d people of one office ask for a code", rushPeople))
	only := flags.String("only", strings.Join(parts, ","),
		"what to measure, with commas between: signin (with memory, JWKS and start-up), starts, refresh, introspect, lists, signatures")
	flags.StringVar(&o.output, "output", "table", "table or json")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	return o, o.check(flags.Args())
}

// check returns the first mistake of a command line that could be read.
func (o options) check(rest []string) error {
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("-only: there is no part %q: want some of %s", part, strings.Join(parts, ","))
		}
	}
	switch {
	case o.rush <= 0:
		return errors.New("-rush must be above zero")
	case o.duration <= 0, o.rounds < 1, o.workers < 1, o.workers > people:
		return errors.New("-duration, -rounds and -workers must be above zero, and -workers at most the number of people")
	case o.sessions < minSessions, o.sessions > statuslist.Size:
		return fmt.Errorf("-sessions: want %d to %d", minSessions, statuslist.Size)
	case o.output != "table" && o.output != "json":
		return errors.New("-output: want table or json")
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	return nil
}

// progress tells a person who waits what is going on.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
