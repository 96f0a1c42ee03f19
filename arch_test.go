package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weirstream/weir"

// layers is the dependency table: what a package of ours may import of ours, outside of
// tests. Whatever is not listed is not allowed, so that nothing flows back up. internal/cli
// is the one place that wires parts together.
var layers = table(`
main: internal/cli
internal/cli: *
internal/web: operator pipeline statestore
internal/eval: internal/eval/detector
internal/eval/detector:
internal/eval/synthetic: internal/eval
internal/lab: ssm ssm/lti ssm/train ssm/baseline
internal/sample:
internal/bench: operator ssm ssm/roofline ssm/train statestore
config:
pipeline: operator pipeline/encoding statestore
pipeline/encoding: operator ssm/fmath
operator: ssm ssm/fmath statestore
operator/builtin: operator ssm
operator/operatortest: operator/builtin ssm
statestore:
statestore/storetest: statestore
ssm: ssm/fmath ssm/internal/kernel
ssm/roofline: ssm ssm/internal/kernel
ssm/lti: ssm/fmath ssm/internal/kernel
ssm/train: ssm ssm/fmath ssm/internal/kernel ssm/internal/layer
ssm/baseline: ssm ssm/lti ssm/train ssm/internal/kernel ssm/internal/layer
ssm/internal/layer: ssm/internal/kernel
ssm/fmath:
ssm/internal/kernel: ssm/fmath
training/export: internal/sample operator
`)

// table reads lines of the form "name: word word".
func table(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		name, words, _ := strings.Cut(line, ":")
		rows[name] = strings.Fields(words)
	}
	return rows
}

// A ban keeps imports that begin with one of Paths inside the packages Only, or, where
// Only is empty, out of the packages Not. Instead says what to do.
type ban struct {
	Paths     []string
	Only, Not []string
	Instead   string
}

// bans holds for all but tests and the packages that only tests import (see testOnly).
var bans = []ban{
	{
		Paths:   []string{"github.com/segmentio/kafka-go"},
		Only:    []string{"pipeline", "internal/cli"},
		Instead: "take a pipeline.Source or a pipeline.Sink",
	},
	{
		Paths:   []string{"github.com/redis/go-redis"},
		Only:    []string{"statestore", "internal/cli"},
		Instead: "take a statestore.Store",
	},
	{
		Paths:   []string{"go.etcd.io/bbolt"},
		Only:    []string{"statestore"},
		Instead: "take a statestore.Store",
	},
	{
		Paths:   []string{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "go.opentelemetry.io/contrib"},
		Only:    []string{"internal/cli"},
		Instead: "use the API; internal/cli chooses what receives it",
	},
	{
		Paths:   []string{"go.opentelemetry.io/otel"},
		Only:    []string{"pipeline", "internal/cli"},
		Instead: "return what is to be counted, and let pipeline count it",
	},
	{
		Paths:   []string{"github.com/prometheus"},
		Only:    []string{"internal/cli", "internal/web"},
		Instead: "measure through the OpenTelemetry API in pipeline",
	},
	{
		Paths:   []string{"github.com/alicebob/miniredis", "github.com/twmb/franz-go"},
		Only:    []string{"internal/cli"},
		Instead: "they stand in for real servers in `weir demo` and in tests, nowhere else",
	},
	{
		Paths:   []string{"github.com/alecthomas/kong", "os/signal"},
		Only:    []string{"main", "internal/cli"},
		Instead: "take an argument; only the command line reads flags and signals",
	},
	{
		Paths:   []string{"github.com/goccy/go-yaml"},
		Only:    []string{"config", "internal/cli"},
		Instead: "put the setting into config.Config",
	},
	{
		Paths:   []string{"net/http"},
		Only:    []string{"internal/cli", "internal/web", "pipeline"}, // pipeline asks a schema registry
		Instead: "serve it from internal/web",
	},
	{
		Paths:   []string{"gonum.org/v1"},
		Not:     []string{"operator", "pipeline", "statestore", "config", "ssm", "ssm/fmath", "ssm/internal/kernel"},
		Instead: "what runs once an event is our own code in ssm; gonum is for what is drawn, trained or checked",
	},
	{
		Paths:   []string{"context", "log", "log/slog", "net"},
		Not:     []string{"ssm", "ssm/lti", "ssm/train", "ssm/baseline", "ssm/fmath", "ssm/internal/kernel", "ssm/internal/layer"},
		Instead: "ssm is pure numbers: return the value or the error to the caller",
	},
	{
		Paths: []string{
			"github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "go.uber.org/goleak",
			"pgregory.net/rapid", "testing",
		},
		Only:    []string{"internal/cli"}, // weir bench measures with testing.Benchmark.
		Instead: "move it to a _test.go file or to a package whose name ends in test",
	},
	{
		Paths:   []string{"github.com/stretchr/testify", "unsafe", "math/rand", "io/ioutil"},
		Only:    []string{"ssm/internal/kernel"},
		Instead: "use testing with go-cmp, encoding/binary, math/rand/v2 with a seed, or os",
	},
}

// clockless lists the packages whose results reach a stream's state or the output. The
// same events must give the same bytes at any time, so they may not ask what time it is.
var clockless = []string{"operator", "ssm", "ssm/lti", "ssm/train", "ssm/fmath", "ssm/internal/kernel", "ssm/internal/layer"}

func TestImportsPointOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, imp := range f.imports() {
			to, ours := strings.CutPrefix(imp, module+"/")
			if !ours || f.test || to == f.pkg {
				continue
			}
			if testOnly(to) && !testOnly(f.pkg) {
				t.Errorf("%s imports %s, which is for tests only", f.path, to)
				continue
			}
			allowed, listed := layers[f.pkg]
			if !listed {
				t.Errorf("%s: package %s has no row in the dependency table: say in arch_test.go what it may import", f.path, f.pkg)
				continue
			}
			if !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s, but %s may import only %v: pass the value down, or move the code to the package that has what it needs",
					f.path, to, f.pkg, allowed)
			}
		}
	}
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || testOnly(f.pkg) {
			continue
		}
		for _, imp := range f.imports() {
			// The first ban whose path matches decides: the OTel SDK's path begins with the API's.
			i := slices.IndexFunc(bans, func(b ban) bool { return slices.ContainsFunc(b.Paths, covers(imp)) })
			if i >= 0 && bans[i].refuses(f.pkg) {
				t.Errorf("%s imports %s, which %s: %s", f.path, imp, bans[i].where(), bans[i].Instead)
			}
		}
	}
}

func TestNoClockReachesStateOrOutput(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || !slices.Contains(clockless, f.pkg) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				t.Errorf("%s calls time.%s: use the event's time", f.at(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	docs := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test {
			docs[f.pkg] = docs[f.pkg] || f.syntax.Doc != nil
		}
	}
	for pkg, ok := range docs {
		if !ok {
			t.Errorf("package %s has no package comment: begin doc.go with `// Package …`, and no blank line before the package clause", pkg)
		}
	}
}

func TestFilesAndFunctionsStayReadable(t *testing.T) {
	const maxFile, maxFunc = 400, 80 // Lines.
	for _, f := range goFiles(t) {
		if f.test || ast.IsGenerated(f.syntax) {
			continue
		}
		if n := f.line(f.syntax.FileEnd); n > maxFile {
			t.Errorf("%s has %d lines, more than %d: give its second subject a file of its own", f.path, n, maxFile)
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunc {
				t.Errorf("%s: %s has %d lines, more than %d: name its steps", f.at(fn.Pos()), fn.Name, n, maxFunc)
			}
		}
	}
}

// testOnly reports whether a package of ours exists for tests, as its name says.
func testOnly(pkg string) bool {
	return strings.HasSuffix(pkg, "test")
}

// covers returns, as a function of a path, whether imp is that path or lies below it.
func covers(imp string) func(path string) bool {
	return func(path string) bool {
		if path == "net" || path == "math/rand" {
			return imp == path // net/url only parses, and math/rand/v2 is the better one.
		}
		return imp == path || strings.HasPrefix(imp, path+"/")
	}
}

func (b ban) refuses(pkg string) bool {
	if len(b.Not) > 0 {
		return slices.Contains(b.Not, pkg)
	}
	return !slices.Contains(b.Only, pkg)
}

func (b ban) where() string {
	if len(b.Not) > 0 {
		return fmt.Sprintf("does not belong in %v", b.Not)
	}
	return fmt.Sprintf("belongs only in %v", b.Only)
}

// A goFile is a parsed file, for any platform and build tag.
type goFile struct {
	path   string
	pkg    string // Its folder, from the root; "main" for the root itself.
	test   bool
	syntax *ast.File
	fset   *token.FileSet
}

func (f goFile) imports() []string {
	var paths []string
	for _, imp := range f.syntax.Imports {
		paths = append(paths, strings.Trim(imp.Path.Value, `"`))
	}
	return paths
}

func (f goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

func (f goFile) at(p token.Pos) string { return fmt.Sprintf("%s:%d", f.path, f.line(p)) }

// goFiles parses the module's Go files. Like the go command it leaves out testdata and
// whatever begins with a dot or an underscore.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if path != "." && (name == "testdata" || name[0] == '.' || name[0] == '_') {
				return filepath.SkipDir
			}
			return nil
		case filepath.Ext(name) != ".go":
			return nil
		}
		syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		if pkg == "." {
			pkg = "main"
		}
		files = append(files, goFile{path, pkg, strings.HasSuffix(name, "_test.go"), syntax, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go file found")
	}
	return files
}
