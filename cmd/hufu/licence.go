package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/sealcmd"
)

// newLicenceCmd is `hufu licence`, for departments.
func newLicenceCmd() *cobra.Command { return withExitCodes(licencecmd.NewCommand()) }

// newSealCmd is `hufu seal`, for seal makers and departments.
func newSealCmd() *cobra.Command { return withExitCodes(sealcmd.NewCommand()) }

// withExitCodes turns the errors of the commands below cmd into those of main.
func withExitCodes(cmd *cobra.Command) *cobra.Command {
	for _, sub := range cmd.Commands() {
		run := sub.RunE
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *deptclient.ExitError
			if errors.As(err, &exit) {
				return exitError{code: exit.Code, err: exit.Err}
			}
			return err
		}
	}
	return cmd
}
