package statestore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/weirstream/weir/statestore"
)

func TestOpenRedisTakesEveryForm(t *testing.T) {
	for _, url := range []string{
		"redis://localhost:6379", "redis://localhost:6379/3", "redis://:pw@localhost:6379/0?read_timeout=2s", "rediss://user:p%40ss@host",
		"unix:///run/redis.sock?db=2", "unix://user:pw@/run/redis.sock", "redis://[::1]:6379",
		"redis://user:pw@a:7000?addr=b:7001&addr=c:7002", "rediss://a:7000?addr=a:7000&pool_size=4",
		"redis://a:26379/0?master_name=main&addr=b:26379&password=pw",
	} {
		store, err := statestore.OpenRedis(url, "weir:", 0)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		closeStore(t, store)
	}
}

func TestOpenRedisSaysWhatIsWrong(t *testing.T) {
	for _, c := range [][2]string{
		{"", "must begin with redis://"},
		{"localhost:6379", "must begin with redis://"},
		{"http://localhost", "must begin with redis://"},
		{"redis://:s3cr3t@host/zero", "database number"},
		{"redis://:s3cr3t@host/0?tiemout=1s", "tiemout"},
		{"redis://:s3cr3t@host?read_timeout=x", "read_timeout"},
		{"redis://:s3cr3t@a?addr=b", "addr"},
		{"redis://:s3cr3t@host:port", "cannot be parsed"},
		{"redis://:s3cr3t%@host", "cannot be parsed"},
		{"redis://:/s3cr3t@host", "%2F"},
		{"redis://:?s3cr3t@host", "%3F"},
		{"redis://:#s3cr3t@host", "%23"},
		{"redis://user/s3cr3t@host", "%2F"},
		{"redis://:s3cr3t@a?addr=b:1&read_only=true", "replica"},
		{"redis://:s3cr3t@a?addr=b:1&route_by_latency=true", "replica"},
		{"redis://:s3cr3t@a?master_name=m&replica_only=true", "replica"},
		{"redis://a/x?master_name=m&password=s3cr3t", "database number"},
		{"redis://:s3cr3t@a?master_name=m&route_randomly=true&addr=b:1", "replica"},
	} {
		url, want := c[0], c[1]
		store, err := statestore.OpenRedis(url, "weir:", 0)
		if err == nil {
			closeStore(t, store)
			t.Errorf("%s: no error", url)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "redis URL: ") || !strings.Contains(text, want) || strings.Contains(text, "s3cr3t") {
			t.Errorf("%s: error %q, want one with %q and without the password", url, text, want)
		}
	}
}

// TestRedisErrorsHidePassword talks to a server that knows neither HELLO nor AUTH and,
// as Redis does, quotes the arguments of a command that it does not know.
func TestRedisErrorsHidePassword(t *testing.T) {
	srv, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	asked := false
	echo := func(c *server.Peer, cmd string, args []string) {
		asked = asked || strings.Contains(strings.Join(args, " "), "s3cr3t")
		c.WriteError("ERR unknown command '" + cmd + "', with args beginning with: '" + strings.Join(args, "' '") + "'")
	}
	for _, cmd := range []string{"HELLO", "AUTH"} {
		if err := srv.Register(cmd, echo); err != nil {
			t.Fatal(err)
		}
	}
	store := openRedis(t, "redis://user:s3cr3t@"+srv.Addr().String()+"?max_retries=-1", "weir:", 0)
	err = store.Ping(t.Context())
	if err == nil || !asked {
		t.Fatalf("Ping: %v; the server saw the password: %t", err, asked)
	}
	if strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "***") {
		t.Fatalf("Ping: %v", err)
	}
	if errors.Unwrap(errors.Unwrap(err)) == nil {
		t.Fatal("the error's cause is lost")
	}
}
