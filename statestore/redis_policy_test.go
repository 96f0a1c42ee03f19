package statestore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/weirstream/weir/statestore"
)

func TestCheckPolicyRefusesEviction(t *testing.T) {
	for _, c := range []struct {
		policy, maxmemory string
		ttl               time.Duration
		refused           bool
	}{
		{"noeviction", "0", time.Hour, false},
		{"noeviction", "1048576", time.Hour, false},
		{"allkeys-lru", "0", time.Hour, false},
		{"allkeys-lru", "1048576", time.Hour, true},
		{"allkeys-random", "1048576", 0, true},
		{"volatile-lfu", "1048576", time.Hour, false}, // nothing of ours has a time to live
		{"volatile-ttl", "1048576", 0, false},
	} {
		store := openRedis(t, "redis://"+infoServer(t, "$INFO maxmemory:"+c.maxmemory+"\r\nmaxmemory_policy:"+c.policy+"\r\n"), "weir:", c.ttl)
		known, err := store.CheckPolicy(t.Context())
		if errors.Is(err, statestore.ErrEvicts) != c.refused || known == c.refused {
			t.Errorf("%+v: known %t, %v", c, known, err)
		}
		if c.refused && !strings.Contains(err.Error(), "set maxmemory-policy to noeviction") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCheckPolicyGoesOnWhereItIsNotTold(t *testing.T) {
	for _, reply := range []string{"-NOPERM this user has no permissions to run the 'info' command", "-ERR unknown command 'INFO'", "$INFO "} {
		store := openRedis(t, "redis://"+infoServer(t, reply), "weir:", 0)
		if known, err := store.CheckPolicy(t.Context()); known || err != nil {
			t.Errorf("%s: known %t, %v", reply, known, err)
		}
	}
	store := openRedis(t, "redis://"+miniredis.RunT(t).Addr(), "weir:", 0)
	if known, err := store.CheckPolicy(t.Context()); known || err != nil {
		t.Errorf("miniredis: known %t, %v", known, err)
	}
}

func TestCheckPolicyReportsAServerThatFails(t *testing.T) {
	store := openRedis(t, "redis://"+infoServer(t, "-NOAUTH Authentication required."), "weir:", 0)
	if _, err := store.CheckPolicy(t.Context()); err == nil || errors.Is(err, statestore.ErrEvicts) {
		t.Errorf("no password: %v", err)
	}
}

// infoServer answers INFO with reply, an error behind "-" or a text behind "$INFO ".
func infoServer(t *testing.T, reply string) (addr string) {
	t.Helper()
	srv, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	err = srv.Register("INFO", func(c *server.Peer, _ string, _ []string) {
		if text, ok := strings.CutPrefix(reply, "$INFO "); ok {
			c.WriteBulk("# Memory\r\n" + text)
			return
		}
		c.WriteError(reply[1:])
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv.Addr().String()
}

func TestCheckPolicyOnServer(t *testing.T) {
	store, _ := realRedis(t, time.Hour)
	if known, err := store.CheckPolicy(t.Context()); !known || err != nil {
		t.Errorf("known %t, %v", known, err)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
