package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Dashboards and alert rules ask for metrics by the names that Prometheus gives them. One
// that was renamed in the code would stay empty without a word.
func TestDashboardsAndRulesAskForMetricsThatThereAre(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join("pipeline", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"weir_stream": true}
	for _, file := range append(sources, filepath.Join("pipeline", "encoding", "gauges.go")) {
		for _, name := range regexp.MustCompile(`"((?:weir|messaging)\.[a-z._]+)"`).FindAllSubmatch(readFile(t, file), -1) {
			known[strings.ReplaceAll(string(name[1]), ".", "_")] = true
		}
	}
	if len(known) < 20 {
		t.Fatalf("only %d metrics found in the code", len(known))
	}
	files, err := filepath.Glob(filepath.Join("deploy", "grafana", "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	unit := regexp.MustCompile(`(_seconds)?(_total|_bucket|_sum|_count)?$`)
	for _, file := range append(files, filepath.Join("deploy", "prometheus", "rules.yml")) {
		for _, name := range regexp.MustCompile(`\b(?:weir|messaging)_[a-z_]+`).FindAllString(string(readFile(t, file)), -1) {
			if !known[name] && !known[unit.ReplaceAllString(name, "")] {
				t.Errorf("%s asks for %s, which no code measures", file, name)
			}
		}
	}
}
