package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
)

// newLicenceCmd is `hufu licence`, for departments.
func newLicenceCmd() *cobra.Command {
	cmd := licencecmd.NewCommand()
	for _, sub := range cmd.Commands() {
		run := sub.RunE
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *licencecmd.ExitError
			if errors.As(err, &exit) {
				return exitError{code: exit.Code, err: exit.Err}
			}
			return err
		}
	}
	return cmd
}
