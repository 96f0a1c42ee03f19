package statestore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

var part = statestore.Partition{Group: "weir", Topic: "events", Number: 3}

var token = statestore.Token{Generation: 17}

func TestRedisKeepsContractOnMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	storetest.TestStore(t, func(t *testing.T) statestore.Store {
		server.FlushAll()
		return openRedis(t, "redis://"+server.Addr(), "weir:", time.Hour)
	})
}

func TestRedisKeepsContractOnServer(t *testing.T) {
	realURL(t) // skips once, not once a case
	storetest.TestStore(t, func(t *testing.T) statestore.Store {
		store, _ := realRedis(t, time.Hour)
		return store
	})
}

// openRedis opens a store and closes it with the test.
func openRedis(t testing.TB, url, prefix string, ttl time.Duration) *statestore.Redis {
	t.Helper()
	store, err := statestore.OpenRedis(url, prefix, ttl)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// realURL is the Redis that WEIR_TEST_REDIS names, as host:port or as a URL such as
// redis://127.0.0.1:17000?addr=127.0.0.1:17001 for a Cluster.
func realURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("WEIR_TEST_REDIS")
	switch {
	case server == "" && os.Getenv("CI") == "true":
		t.Fatal("WEIR_TEST_REDIS must name a Redis server in CI")
	case server == "":
		t.Skip("set WEIR_TEST_REDIS=host:port to run on a real Redis")
	case !strings.Contains(server, "://"):
		server = "redis://" + server
	}
	return server
}

// realRedis opens a store on the real Redis. Its keys, and theirs alone, are deleted
// with the test.
func realRedis(t testing.TB, ttl time.Duration) (store *statestore.Redis, prefix string) {
	t.Helper()
	url := realURL(t)
	prefix = "weir-test:" + rand.Text() + ":"
	t.Cleanup(func() { deleteKeys(t, url, prefix) })
	return openRedis(t, url, prefix, ttl), prefix
}

func deleteKeys(t testing.TB, url, prefix string) {
	t.Helper()
	ctx := context.Background()
	sweep := func(ctx context.Context, node *redis.Client) error {
		keys := node.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			if err := node.Del(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		return keys.Err()
	}
	var err error
	if strings.Contains(url, "addr=") {
		o, parseErr := redis.ParseClusterURL(url)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		cluster := redis.NewClusterClient(o)
		err = errors.Join(cluster.ForEachMaster(ctx, sweep), cluster.Close())
	} else {
		o, parseErr := redis.ParseURL(url)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		client := redis.NewClient(o)
		err = errors.Join(sweep(ctx, client), client.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// owned returns a store on a miniredis where token owns part, and the miniredis.
func owned(t *testing.T, ttl time.Duration) (*statestore.Redis, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	store := openRedis(t, "redis://"+server.Addr(), "weir:", ttl)
	if _, err := store.Claim(t.Context(), part, token); err != nil {
		t.Fatal(err)
	}
	return store, server
}

func TestRedisKeysShareAHashTag(t *testing.T) {
	server := miniredis.RunT(t)
	store := openRedis(t, "redis://"+server.Addr(), "team/weir:", 0)
	p := statestore.Partition{Group: "g}/{", Topic: "50%/t", Number: 3}
	if _, err := store.Claim(t.Context(), p, token); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(t.Context(), p, token, []statestore.Snapshot{{Key: "web-7/{cpu}", Offset: 1}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"team/weir:{g%7D%2F%7B/50%25%2Ft/3}:m", "team/weir:{g%7D%2F%7B/50%25%2Ft/3}:s:web-7/{cpu}"}
	if diff := cmp.Diff(want, server.Keys()); diff != "" {
		t.Fatalf("keys (-want +got):\n%s", diff)
	}
}

// TestRedisForgetsIdleStreamsByTheLogsClock saves more streams than one sweep looks at.
// Only those that the log's clock has left twice the ttl behind are forgotten, and they are
// new then, not lost; the server's clock counts for nothing.
func TestRedisForgetsIdleStreamsByTheLogsClock(t *testing.T) {
	store, server := owned(t, time.Hour)
	const hour, streams = int64(3_600_000), 1000
	var keys []string
	var snaps []statestore.Snapshot
	for i := range streams {
		keys = append(keys, fmt.Sprint("s", i))
		snaps = append(snaps, statestore.Snapshot{Key: keys[i], Offset: int64(i), Time: hour * int64(1+i%2*2)})
	}
	if err := store.Save(t.Context(), part, token, snaps); err != nil {
		t.Fatal(err)
	}
	server.FastForward(1000 * time.Hour)
	kept := func(now int64) (n int) {
		for i := range int64(2 * streams / 100) {
			if err := store.Advance(t.Context(), part, token, statestore.Position{Cursor: now + i, Time: now}); err != nil {
				t.Fatal(err)
			}
		}
		snaps, err := store.Load(t.Context(), part, keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range snaps {
			if s.Offset == statestore.NoOffset {
				continue
			}
			if n++; now > 3*hour && i%2 == 0 {
				t.Errorf("%q is still there at %d", s.Key, now)
			}
		}
		return n
	}
	if n := kept(3 * hour); n != streams {
		t.Errorf("%d of %d streams left when none was idle for two hours", n, streams)
	}
	if n := kept(3*hour + 1); n != streams/2 {
		t.Errorf("%d streams left, want half of %d", n, streams)
	}
	if server.TTL("weir:{weir/events/3}:s:s1") != 0 || server.TTL("weir:{weir/events/3}:m") != 0 {
		t.Error("a key has a time to live on the server")
	}
}

func saveAs(t testing.TB, store statestore.Store, key string, offset int64) {
	t.Helper()
	err := store.Save(t.Context(), part, token, []statestore.Snapshot{{Key: key, Offset: offset, State: []byte("state of " + key)}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRedisReloadsScriptsThatTheServerForgot(t *testing.T) {
	store, server := owned(t, 0)
	saveAs(t, store, "a", 1)
	restarted := server.Addr()
	snapshot := server.Dump()
	client := redis.NewClient(&redis.Options{Addr: restarted})
	defer client.Close()
	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	saveAs(t, store, "a", 2)
	if server.Dump() == snapshot {
		t.Fatal("the Save after SCRIPT FLUSH wrote nothing")
	}
}

func TestRedisEmptiedServerIsNoticed(t *testing.T) {
	store, server := owned(t, 0)
	saveAs(t, store, "a", 1)
	before, err := store.Claim(t.Context(), part, token)
	if err != nil {
		t.Fatal(err)
	}
	server.FlushAll()
	err = store.Save(t.Context(), part, token, []statestore.Snapshot{{Key: "a", Offset: 2}})
	if !errors.Is(err, statestore.ErrRegressed) {
		t.Fatalf("Save to an emptied server: %v", err)
	}
	after, err := store.Claim(t.Context(), part, token)
	if err != nil || after.StoreID == before.StoreID || after.Cursor != statestore.NoOffset {
		t.Fatalf("claimed an emptied server: %+v, %v; before it was %+v", after, err, before)
	}
}

func TestRedisUnreachableNamesWhatFailed(t *testing.T) {
	server := miniredis.RunT(t)
	store := openRedis(t, "redis://"+server.Addr()+"?max_retries=-1", "weir:", 0)
	server.Close()
	calls := map[string]error{
		`claim partition "weir/events/3": `:                         second(store.Claim(t.Context(), part, token)),
		`load partition "weir/events/3", stream "a" and 1 more: `:   second(store.Load(t.Context(), part, []string{"a", "b"})),
		`save partition "weir/events/3", stream "web" and 0 more: `: store.Save(t.Context(), part, token, []statestore.Snapshot{{Key: "web"}}),
		`advance partition "weir/events/3": `:                       store.Advance(t.Context(), part, token, statestore.Position{Cursor: 1, Fingerprint: 1}),
		`ping redis: `:                                              store.Ping(t.Context()),
		`check redis: `:                                             second(store.CheckPolicy(t.Context())),
	}
	for want, err := range calls {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s…", err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }
