package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/redis/go-redis/v9"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/statestore"
)

// A manifest holds of a Kubernetes object what the tests look at.
type manifest struct {
	Kind string
	Data map[string]string // Of a ConfigMap.
}

func TestDeployedConfigsAreValid(t *testing.T) {
	env := config.Overrides{Environ: []string{"REDIS_URL=redis://weir:secret@redis:6379/0"}}
	if _, err := config.Load(filepath.Join("deploy", "weir.yaml"), env); err != nil {
		t.Error(err)
	}

	path := filepath.Join("deploy", "kubernetes", "sidecar.yaml")
	var configs int
	docs := yaml.NewDecoder(bytes.NewReader(readFile(t, path)))
	for {
		var m manifest
		err := docs.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != "ConfigMap" {
			continue
		}
		configs++
		if _, err := config.Parse(path, []byte(m.Data["weir.yaml"]), env); err != nil {
			t.Error(err)
		}
	}
	if configs != 1 {
		t.Errorf("%s has %d ConfigMaps, want 1", path, configs)
	}
}

func TestComposeServesItsConfig(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Ports       []string
			Environment map[string]any
		}
	}
	if err := yaml.Unmarshal(readFile(t, "docker-compose.yml"), &compose); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(filepath.Join("deploy", "weir.yaml"), config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}

	creates := strings.Fields(strings.ReplaceAll(strings.Join(compose.Services["topics"].Command, " "), ";", " "))
	for _, topic := range append(cfg.Input.Topics, cfg.Output.Scores.Topic, cfg.Output.DLQ.Topic, cfg.Output.Metrics.Topic) {
		if !slices.Contains(creates, topic) {
			t.Errorf("docker-compose.yml does not create topic %q, which deploy/weir.yaml uses", topic)
		}
	}
	listeners, _ := compose.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"].(string)
	for _, broker := range cfg.Kafka.Brokers {
		if !strings.Contains(listeners, "//"+broker) {
			t.Errorf("deploy/weir.yaml looks for Kafka at %s, which docker-compose.yml does not advertise: %s", broker, listeners)
		}
	}
	for name, service := range compose.Services {
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("service %s publishes %s beyond loopback, without a login", name, port)
			}
		}
		if _, tag, ok := strings.Cut(service.Image, ":"); service.Image != "" && (!ok || tag == "latest") {
			t.Errorf("service %s: image %q names no version", name, service.Image)
		}
	}
}

// TestRedisACLIsEnoughAndNoMore runs the store as the user of deploy/redis-acl.conf.
func TestRedisACLIsEnoughAndNoMore(t *testing.T) {
	addr := os.Getenv("WEIR_TEST_REDIS")
	if addr == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("WEIR_TEST_REDIS is not set; in CI every server must be there")
		}
		t.Skip("set WEIR_TEST_REDIS=host:port to run this against Redis")
	}
	ctx := context.Background()
	admin := redis.NewClient(&redis.Options{Addr: addr})
	defer admin.Close()

	// The user of the file, under a name and with keys of this run's own.
	user := "weir-" + rand.Text()
	rules := userRules(t, "weir")
	for i, rule := range rules {
		rules[i] = strings.ReplaceAll(rule, "~weir:", "~"+user+":")
	}
	if err := admin.Do(ctx, append([]any{"ACL", "SETUSER", user}, anys(rules)...)...).Err(); err != nil {
		t.Fatal(err)
	}
	defer admin.Do(ctx, "ACL", "DELUSER", user)

	const db = 1
	defer removeKeys(t, addr, db, user)
	url := fmt.Sprintf("redis://%s:change-me@%s/%d", user, addr, db)
	store, err := statestore.OpenRedis(url, user+":", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p := statestore.Partition{Group: "g", Topic: "t"}
	token := statestore.Token{Generation: 1}
	steps := []struct {
		name string
		run  func() error
	}{
		{"ping", func() error { return store.Ping(ctx) }},
		{"check policy", func() error { _, err := store.CheckPolicy(ctx); return err }},
		{"claim", func() error { _, err := store.Claim(ctx, p, token); return err }},
		{"save", func() error {
			return store.Save(ctx, p, token, []statestore.Snapshot{{Key: "s", Offset: 7, State: []byte("state")}})
		}},
		{"advance", func() error {
			return store.Advance(ctx, p, token, statestore.Position{Cursor: 8, Fingerprint: 1, Gap: statestore.NoOffset})
		}},
		{"save an idle one", func() error {
			return store.Save(ctx, p, token, []statestore.Snapshot{{Key: "idle", Offset: 8, Time: 1, State: []byte("state")}})
		}},
		{"forget it", func() error {
			err := store.Advance(ctx, p, token, statestore.Position{Cursor: 9, Gap: statestore.NoOffset, Time: time.Hour.Milliseconds()})
			snaps, loadErr := store.Load(ctx, p, []string{"idle"})
			if err = errors.Join(err, loadErr); err == nil && snaps[0].Offset != statestore.NoOffset {
				err = errors.New("the idle stream is still there")
			}
			return err
		}},
		{"load", func() error { _, err := store.Load(ctx, p, []string{"s"}); return err }},
	}
	for _, step := range steps {
		if err := step.run(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}

	client := redis.NewClient(&redis.Options{Addr: addr, DB: db, Username: user, Password: "change-me"})
	defer client.Close()
	for _, refused := range [][]any{
		{"FLUSHDB"}, {"KEYS", "*"}, {"CONFIG", "GET", "*"}, {"ACL", "LIST"}, {"SET", "another:key", "x"}, {"MGET", "another:key"},
	} {
		if err := client.Do(ctx, refused...).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("%v: got %v, want NOPERM", refused, err)
		}
	}
}

// removeKeys deletes the keys that begin with prefix.
func removeKeys(t *testing.T, addr string, db int, prefix string) {
	t.Helper()
	ctx := context.Background()
	admin := redis.NewClient(&redis.Options{Addr: addr, DB: db})
	defer admin.Close()
	keys, err := admin.Keys(ctx, prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Del(ctx, keys...).Err(); err != nil {
		t.Error(err)
	}
}

// userRules returns the ACL rules that deploy/redis-acl.conf gives a user.
func userRules(t *testing.T, name string) []string {
	t.Helper()
	for line := range strings.Lines(string(readFile(t, filepath.Join("deploy", "redis-acl.conf")))) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "user" && fields[1] == name {
			return fields[2:]
		}
	}
	t.Fatalf("deploy/redis-acl.conf has no user %s", name)
	return nil
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
