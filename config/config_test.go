package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/bad/*.err; read the difference before keeping it")

func parse(t *testing.T, text string, o Overrides) Config {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// minimal sets what has no default.
const minimal = `
kafka: {brokers: ["localhost:9092"]}
input: {topics: [events]}
`

func defaults() Config {
	want := Default()
	want.Kafka.Brokers = []string{"localhost:9092"}
	want.Input.Topics = []string{"events"}
	want.Output = Output{Scores: Topic{"events.scores"}, DLQ: Topic{"events.dlq"}}
	return want
}

func TestExampleShowsTheDefaults(t *testing.T) {
	got, err := Load("example.yaml", Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("example.yaml is not the default (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, parse(t, minimal, Overrides{})); diff != "" {
		t.Errorf("a minimal file is not the default (-want +got):\n%s", diff)
	}
}

func TestExampleNamesEverySetting(t *testing.T) {
	text, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l := loader{origins: map[string]origin{}, blamed: map[string]bool{}, lines: strings.Split(string(text), "\n")}
	l.settings = settingsOf(&l.cfg)
	if !l.readYAML(text) || len(l.faults) > 0 {
		t.Fatal(joinFaults(l.faults))
	}
	for _, path := range l.settings.paths {
		if _, ok := l.origins[path]; !ok {
			t.Errorf("example.yaml does not show %s", path)
		}
	}
}

// The .err files are read by a person: what a user sees for each bad file.
func TestBadFilesSayWhatIsWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), data, Overrides{Environ: []string{"WEIR_TEST_TOPICS=", "TOPIC=events"}})
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown:\n%v", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err2 := os.ReadFile(golden)
			if err2 != nil {
				t.Fatal(err2)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetWinsOverEnvironmentOverFile(t *testing.T) {
	file := minimal + "state: {max_streams: 1, idle_ttl: 1h}\nservice: {name: file}"
	env := []string{"WEIR_STATE_MAX_STREAMS=2", "WEIR_SERVICE_NAME=env", "WEIR_KAFKA_BROKERS=a:1, b:2", "HOME=/root"}
	c := parse(t, file, Overrides{Environ: env, Set: []string{"state.max_streams=3", "state.max_streams=4", "kafka.tls.enabled=true"}})
	if c.State.MaxStreams != 4 || c.Service.Name != "env" || c.State.IdleTTL != time.Hour || !c.Kafka.TLS.Enabled {
		t.Errorf("got %d %q %v %v", c.State.MaxStreams, c.Service.Name, c.State.IdleTTL, c.Kafka.TLS.Enabled)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2"}, c.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
}

func TestEverySettingHasItsOwnVariable(t *testing.T) {
	c := Default()
	s := settingsOf(&c)
	seen := map[string]string{}
	for _, path := range s.paths {
		name := envName(path)
		if seen[name] != "" {
			t.Errorf("%s sets both %s and %s", name, seen[name], path)
		}
		if foreignEnv.MatchString(name) {
			t.Errorf("%s would be taken for a variable of Kubernetes", name)
		}
		seen[name] = path
	}
	if seen["WEIR_STATE_REDIS_URL"] != "state.redis.url" {
		t.Error("WEIR_STATE_REDIS_URL does not set state.redis.url")
	}
}

func TestEverySettingCanBeSet(t *testing.T) {
	c := defaults()
	s := settingsOf(&c)
	for _, path := range s.paths {
		v := s.leaves[path]
		if v.IsZero() {
			continue
		}
		// What String writes, --set reads.
		text := strings.Trim(strings.ReplaceAll(strings.TrimSpace(yamlOf(t, v.Interface())), "- ", ""), `"`)
		got := parse(t, minimal, Overrides{Set: []string{path + "=" + text}})
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("--set %s=%s (-want +got):\n%s", path, text, diff)
		}
	}
}

func TestUnknownVariableIsAnError(t *testing.T) {
	for _, env := range []string{"WEIR_STATE_REDSI_URL=x", "WEIR_KAFKA_BROKER=x", "WEIR_X="} {
		_, err := Parse("", []byte(minimal), Overrides{Environ: []string{env}})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", env, err)
		}
	}
	_, err := Parse("", []byte(minimal), Overrides{Environ: []string{"WEIR_STATE_REDSI_URL=x"}})
	if want := `did you mean "WEIR_STATE_REDIS_URL"?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Kubernetes sets these in every container beside a Service named weir or weir-redis.
func TestKubernetesServiceVariablesAreIgnored(t *testing.T) {
	parse(t, minimal, Overrides{Environ: []string{
		"WEIR_SERVICE_HOST=10.0.0.1", "WEIR_SERVICE_PORT=8490", "WEIR_SERVICE_PORT_HTTP=8490", "WEIR_PORT=tcp://10.0.0.1:8490",
		"WEIR_PORT_8490_TCP=tcp://10.0.0.1:8490", "WEIR_PORT_8490_TCP_PROTO=tcp", "WEIR_PORT_8490_TCP_PORT=8490", "WEIR_PORT_8490_TCP_ADDR=10.0.0.1",
		"WEIR_REDIS_SERVICE_HOST=10.0.0.2", "WEIR_REDIS_PORT=tcp://10.0.0.2:6379", "WEIR_REDIS_PORT_6379_TCP_ADDR=10.0.0.2", "WEIR_TEST_X=1",
	}})
}

func TestReferencesCannotChangeTheStructure(t *testing.T) {
	evil := "x\nstate: {store: memory}\n# \"'[]{}: - &a *b ${env:OTHER}"
	c := parse(t, `
kafka: {brokers: ["${env:HOST:-localhost}:9092"], group_id: "${env:EVIL}"}
input: {topics: "${env:TOPICS}", max_bytes: "${env:SIZE}"}
state: {max_streams: "${env:N}"}
service: {name: "$${env:N} ${env:EMPTY:-d}${env:UNSET:-}"}
`, Overrides{Environ: []string{"EVIL=" + evil, "TOPICS=a, b", "SIZE=2KiB", "N=7", "EMPTY=", "OTHER=no"}})
	if c.Kafka.GroupID != evil {
		t.Errorf("group_id = %q, want the variable as it is", c.Kafka.GroupID)
	}
	if c.State.Store != "redis" || c.State.MaxStreams != 7 || c.Input.MaxBytes != 2<<10 || c.Service.Name != "${env:N} d" {
		t.Errorf("got %+v", c)
	}
	if diff := cmp.Diff([]string{"a", "b"}, c.Input.Topics); diff != "" {
		t.Error(diff)
	}
}

func TestOutputTopicsFollowTheFirstInputTopic(t *testing.T) {
	c := parse(t, minimal, Overrides{Set: []string{"input.topics=b,a", "output.dlq.topic=dead"}})
	if c.Output.Scores.Topic != "b.scores" || c.Output.DLQ.Topic != "dead" {
		t.Errorf("got %+v", c.Output)
	}
}

func TestValidateReportsEveryFaultOfAValue(t *testing.T) {
	if c := defaults(); c.Validate() != nil {
		t.Fatal(c.Validate())
	}
	err := Config{}.Validate()
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("got %v", err)
	}
	for _, one := range joined.Unwrap() {
		var f *Fault
		if !errors.As(one, &f) || f.Path == "" || f.Origin != "" || !errors.Is(one, ErrInvalid) {
			t.Errorf("%#v is no fault of a path", one)
		}
	}
	if len(joined.Unwrap()) < 15 {
		t.Errorf("an empty Config has only these faults:\n%v", err)
	}
}

func TestLoadRefusesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# big\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent.yaml"): "no such file",
		dir:                               "is a directory",
		big:                               "larger than 1MiB",
	} {
		_, err := Load(path, Overrides{})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}
