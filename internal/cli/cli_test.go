package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weirstream/weir/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"weir": func() {
			os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// The scripts run weir as a process of its own, in an empty folder and environment.
func TestScripts(t *testing.T) {
	models, err := filepath.Abs("../../ssm/testdata/mamba")
	if err != nil {
		t.Fatal(err)
	}
	example, err := filepath.Abs("../../config/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MODELS", models)
			e.Setenv("EXAMPLE", example)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"replace": replace,
			"poke":    poke,
		},
	})
}

// exits N PROGRAM ARG... runs a program that must exit with code N.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code is %d, want %s", code, args[0])
	}
}

// replace FILE OLD NEW changes bytes of a file, in place where both are of one length.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(file, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600))
}

// poke FILE HEX overwrites the end of a file.
func poke(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	tail, err := hex.DecodeString(args[1])
	ts.Check(err)
	copy(data[len(data)-len(tail):], tail)
	ts.Check(os.WriteFile(file, data, 0o600))
}

func TestLoggerKeepsLevelAndFormat(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "warn", Format: "json"})
	log.Info("quiet")
	log.Warn("loud", slog.String("stream", "web-7/cpu"))
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud","stream":"web-7/cpu"`) {
		t.Errorf("got %s", got)
	}
	out.Reset()
	newLogger(&out, config.Log{Level: "debug", Format: "text"}).Debug("fine")
	if got := out.String(); !strings.Contains(got, "level=DEBUG msg=fine") {
		t.Errorf("got %s", got)
	}
}
