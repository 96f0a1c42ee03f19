package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const childEnv = "WEIR_TEST_SIGNALS"

// As a child process, the test binary is a command that stops at no signal by itself.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx := untilSignal(context.Background())
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopping")
	select {}
}

func TestFirstSignalStopsSecondKills(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childEnv+"=1")
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for _, want := range []string{"ready", "stopping"} {
			if !lines.Scan() || lines.Text() != want {
				t.Errorf("%v: child says %q, want %q", signal, lines.Text(), want)
			}
			if err := child.Process.Signal(signal); err != nil {
				t.Errorf("%v: %v", signal, err)
			}
		}
		err = child.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 {
			t.Errorf("%v twice: %v, want exit code 130", signal, err)
		}
	}
}
