package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func yamlOf(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := defaults()
	c.Kafka.SASL = SASL{Mechanism: "plain", Username: "weir", Password: "hunter2"}
	c.State.Redis.URL = "rediss://weir:hunter2@redis:6379/0?sentinel_password=hunter2&db=1"
	c.State.Redis.Password = "hunter2"
	var out strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		log.Info("c", "config", c, "pointer", &c, "sasl", c.Kafka.SASL, "redis", c.State.Redis, "url", c.State.Redis.URL, "password", c.Kafka.SASL.Password)
	}
	for _, v := range []any{c, &c, c.Kafka, &c.Kafka, c.Kafka.SASL, c.State.Redis, c.State.Redis.URL, c.Kafka.SASL.Password} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
		out.WriteString(yamlOf(t, v))
	}
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2")} {
		if at := strings.Index(out.String(), leak); at >= 0 {
			t.Errorf("secret printed: …%s", out.String()[max(0, at-200):at+len(leak)])
		}
	}
	if want := "rediss://weir:***@redis:6379/0?sentinel_password=***&db=1"; c.State.Redis.URL.String() != want {
		t.Errorf("got %s, want %s", c.State.Redis.URL, want)
	}
}

func TestMaskedURLs(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"redis://h:1/0":                 "redis://h:1/0",
		"redis://:p@h:1":                "redis://:***@h:1",
		"redis://u@h":                   "redis://u@h",
		"unix://u:p@/run/r.sock?db=1":   "unix://u:***@/run/r.sock?db=1",
		"p@h:1":                         "***",
		"redis:u:p@h":                   "***",
		"redis://u:%zz@h":               "***",
		"redis://h?addr=g:1&PASSWORD=p": "redis://h?addr=g:1&PASSWORD=***",
	} {
		if got := SecretURL(in).String(); got != want {
			t.Errorf("%q prints as %q, want %q", in, got, want)
		}
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	password, url, empty := write("password", " hunter2 \r\n"), write("url", "redis://:p@h:1"), write("empty", "\n")
	c := parse(t, minimal, Overrides{
		Environ: []string{"WEIR_STATE_REDIS_URL_FILE=" + url},
		Set:     []string{"kafka.sasl.mechanism=plain", "kafka.sasl.username=u", "kafka.sasl.password_file=" + password},
	})
	if diff := cmp.Diff(" hunter2 ", string(c.Kafka.SASL.Password)); diff != "" {
		t.Error(diff)
	}
	if c.State.Redis.URL != "redis://:p@h:1" {
		t.Errorf("url = %q", string(c.State.Redis.URL))
	}
	for _, bad := range []struct{ set, want string }{
		{"state.redis.password=x,state.redis.password_file=" + password, "state.redis.password and state.redis.password_file are both set"},
		{"state.redis.url=redis://h,state.redis.url_file=" + url, "both set"},
		{"state.redis.password_file=" + filepath.Join(dir, "absent"), "does not exist"},
		{"state.redis.password_file=" + empty, "is empty"},
		{"state.redis.password_file=" + dir, "is a directory"},
		{"state.redis.password_file=" + password + ",state.redis.url_file=" + url, "keep one"},
	} {
		_, err := Parse("", []byte(minimal), Overrides{Set: strings.Split(bad.set, ",")})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: got %v, want %q", bad.set, err, bad.want)
		}
	}
}
