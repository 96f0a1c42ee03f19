// Weir scores the events of many streams, each with a state space model of its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirstream/weir/internal/cli"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	go cancelThenExit(cancel)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// cancelThenExit ends the context at the first signal, and the process at the second.
func cancelThenExit(cancel context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	cancel()
	<-signals
	os.Exit(130)
}
