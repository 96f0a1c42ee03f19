package check

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestComposeLoadsItsFile(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithName("weir"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range project.Services {
		for _, v := range service.Volumes {
			if v.Type != "bind" {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("service %s mounts what is not there: %v", service.Name, err)
			}
		}
	}
}

func TestPrometheusLoadsItsFiles(t *testing.T) {
	if _, err := promconfig.LoadFile("../prometheus/prometheus.yml", false, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	groups, errs := rulefmt.ParseFile("../prometheus/rules.yml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 || groups == nil || len(groups.Groups) == 0 {
		t.Error(errs)
	}
}

func TestAlertmanagerLoadsItsFile(t *testing.T) {
	if _, err := amconfig.LoadFile("../alertmanager/alertmanager.yml"); err != nil {
		t.Error(err)
	}
}

// Expressions of dashboards are PromQL once Grafana's variables are filled in.
func TestDashboardsAskInPromQL(t *testing.T) {
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	fill := strings.NewReplacer("$stream", "s", "$field", ".*")
	for _, file := range files {
		for _, expr := range expressions(t, file) {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(fill.Replace(expr)); err != nil {
				t.Errorf("%s: %s: %v", file, expr, err)
			}
		}
	}
}
