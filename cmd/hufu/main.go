// Command hufu is the whole server and its tools in one binary. See README.md; `hufu help` lists the commands.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/clientcmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/countercmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/demo"
	"github.com/hufu-id/hufu/cmd/hufu/internal/dev"
	"github.com/hufu-id/hufu/cmd/hufu/internal/keyscmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/cmd/hufu/internal/restorecmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/sealcmd"
	"github.com/hufu-id/hufu/cmd/hufu/internal/walletcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process, for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "hufu",
		Short:         "National identity federation and credential wallet server",
		Version:       node.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.AddCommand(dev.NewCommand(), demo.NewCommand(run), newServeCmd(), newMigrateCmd(), newConfigCmd(), newVerifyCmd(), newBundleCmd(), licencecmd.NewCommand(), sealcmd.NewCommand(), keyscmd.NewCommand(), keyscmd.NewAudit(), restorecmd.NewCommand(), countercmd.NewCommand(), clientcmd.NewCommand(), walletcmd.NewCommand())
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	code, message := exitCode(root.ExecuteContext(ctx))
	if message != "" {
		fmt.Fprintln(stderr, "hufu: "+message)
	}
	return code
}
