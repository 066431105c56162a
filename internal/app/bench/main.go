package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/latchkey-id/latchkey/internal/app/bench/bare"
)

// bareCommand makes this program the bare handler.
const bareCommand = "bare"

// options are the command line.
type options struct {
	latchkey string
	duration time.Duration
	rounds   int
	workers  int
	output   string
}

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
	flags.DurationVar(&o.duration, "duration", 2*time.Second, "how long each measurement of sign-ins lasts")
	flags.IntVar(&o.rounds, "rounds", 9, "how often each is measured, by turns; the median counts")
	flags.IntVar(&o.workers, "workers", 4, "how many people sign in at once")
	flags.StringVar(&o.output, "output", "table", "table or json")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.duration <= 0, o.rounds < 1, o.workers < 1, o.workers > people:
		return o, errors.New("-duration, -rounds and -workers must be above zero, and -workers at most the number of people")
	case o.output != "table" && o.output != "json":
		return o, errors.New("-output: want table or json")
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// progress tells a person who waits what is going on.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
