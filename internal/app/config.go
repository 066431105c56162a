package app

import (
	"context"
	"errors"
	"fmt"
)

type configCommand struct {
	Check configCheck `cmd:"" help:"Check the settings as serve would, and print those in force and where each comes from."`
}

type configCheck struct {
	where
	Quiet bool `short:"q" help:"Print mistakes only."`
}

// Run checks the settings.
func (cmd configCheck) Run(_ context.Context, env Env) error {
	c, err := cmd.load(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return errReported
	}
	if cmd.Quiet {
		return nil
	}
	if err := c.Effective(env.Stdout); err != nil {
		return errors.Join(errReported, err)
	}
	fmt.Fprintln(env.Stderr, "The settings are in order. `latchkey doctor` checks what they lead to.")
	return nil
}
