package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestFailoverLosesTheTail has Sentinel promote a replica that misses the last second of
// what its primary had acknowledged.
func TestFailoverLosesTheTail(t *testing.T) {
	t.Parallel()
	primary := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port))
	replica.linked(t)
	watch := startSentinel(t, primary)
	url := watch.url() + "/0?master_name=main"
	s := start(t, "Redis Sentinel: fail-over that loses the last second", url, url)
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		pause(300 * time.Millisecond)
		stop(t, replica, syscall.SIGSTOP)
		primary.do(t, "CLIENT", "KILL", "TYPE", "replica")
		time.Sleep(time.Second)
		primary.kill()
		stop(t, replica, syscall.SIGCONT)
		until(t, 30*time.Second, "fail-over", func() error { return watch.primaryIs(t, replica) })
		primary.start(t)
		primary, replica = replica, primary
		replica.linked(t)
	})
	s.finish(t)
}

// startSentinel starts one that decides alone.
func startSentinel(t *testing.T, primary *redisServer) *redisServer {
	t.Helper()
	s := theSuite(t)
	w := &redisServer{port: freePort(t), dir: filepath.Join(s.dir, t.Name(), "sentinel")}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds main 800\nsentinel failover-timeout main 3000\n", w.port, w.dir, primary.port)
	file := filepath.Join(w.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	w.args = []string{file, "--sentinel"}
	w.start(t)
	t.Cleanup(w.kill)
	client := w.client(t)
	until(t, 30*time.Second, "the replica to be known", func() error {
		found, err := client.Do(t.Context(), "SENTINEL", "REPLICAS", "main").Slice()
		if err == nil && len(found) == 0 {
			err = errNotYet
		}
		return err
	})
	return w
}

func stop(t *testing.T, r *redisServer, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// linked waits until the server is a replica that has all of its primary.
func (r *redisServer) linked(t *testing.T) {
	t.Helper()
	client := r.client(t)
	until(t, time.Minute, "replica in sync", func() error {
		info, err := client.Info(t.Context(), "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errNotYet
		}
		return err
	})
}

// primaryIs asks a Sentinel for its primary.
func (r *redisServer) primaryIs(t *testing.T, want *redisServer) error {
	at, err := r.client(t).Do(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main").StringSlice()
	if err == nil && at[1] != strconv.Itoa(want.port) {
		err = errNotYet
	}
	return err
}

// A redisCluster is a Redis Cluster of three primaries and a replica for each.
type redisCluster struct {
	nodes []*redisServer
	buses []int
	all   *redis.ClusterClient
}

func startCluster(t *testing.T) *redisCluster {
	t.Helper()
	c := &redisCluster{}
	for range 6 {
		bus := freePort(t)
		c.buses = append(c.buses, bus)
		c.nodes = append(c.nodes, startRedis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
			"--cluster-node-timeout", "1000", "--cluster-config-file", "nodes.conf"))
	}
	first := c.nodes[0].client(t)
	for i := range c.nodes {
		if i < 3 {
			c.nodes[i].do(t, "CLUSTER", "ADDSLOTSRANGE", i*5462, min(i*5462+5461, 16383))
		}
		if err := first.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", c.nodes[i].port, c.buses[i]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := 3; i < 6; i++ {
		node, id := c.nodes[i].client(t), c.nodes[i-3].id(t)
		until(t, 30*time.Second, "replica in cluster", func() error { return node.ClusterReplicate(t.Context(), id).Err() })
		c.nodes[i].linked(t)
	}
	c.all = redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.nodes[0].addr()}})
	t.Cleanup(func() { _ = c.all.Close() })
	for _, n := range c.nodes {
		n.agrees(t)
	}
	return c
}

// agrees waits until a node finds its cluster in order.
func (r *redisServer) agrees(t *testing.T) {
	t.Helper()
	client := r.client(t)
	until(t, time.Minute, "cluster in order", func() error {
		info, err := client.ClusterInfo(t.Context()).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = errNotYet
		}
		return err
	})
}

func (r *redisServer) id(t *testing.T) string {
	t.Helper()
	id, err := r.client(t).ClusterMyID(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (c *redisCluster) url() string {
	return c.nodes[0].url() + "?addr=" + c.nodes[1].addr() + "&addr=" + c.nodes[5].addr()
}

// owner returns the node that serves a key's slot, and the slot.
func (c *redisCluster) owner(t *testing.T, key string) (*redisServer, int64) {
	t.Helper()
	slot, err := c.all.ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	shards, err := c.all.ClusterShards(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		if !slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool { return r.Start <= slot && slot <= r.End }) {
			continue
		}
		for _, node := range shard.Nodes {
			at := slices.IndexFunc(c.nodes, func(n *redisServer) bool { return int64(n.port) == node.Port })
			if at >= 0 && node.Role == "master" && node.Health == "online" {
				return c.nodes[at], slot
			}
		}
	}
	t.Fatalf("nobody has slot %d", slot)
	return nil, 0
}

func TestClusterPrimaryKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := start(t, "Redis Cluster: a primary killed, its replica takes over", c.url(), c.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(round int) {
		n, _ := c.owner(t, s.metaKey(round%partitions))
		n.kill()
		time.Sleep(3 * time.Second)
		n.start(t)
		n.linked(t)
		for _, n := range c.nodes {
			n.agrees(t)
		}
	})
	s.finish(t)
}

// metaKey is any key of a partition.
func (s *scenario) metaKey(partition int) string {
	return fmt.Sprintf("%s:{%s/%s/%d}:m", s.name, s.name, s.name, partition)
}

func TestClusterSlotsMoved(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := start(t, "Redis Cluster: the partitions' slots moved to other nodes", c.url(), c.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		for p := range partitions {
			c.move(t, s.metaKey(p))
		}
	})
	s.finish(t)
}

// move gives a key's slot to the next primary, key by key and slowly enough that others
// come to use it in the meantime.
func (c *redisCluster) move(t *testing.T, key string) {
	t.Helper()
	from, slot := c.owner(t, key)
	to := c.nodes[(slices.Index(c.nodes, from)+1)%3]
	to.do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id(t))
	from.do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id(t))
	source := from.client(t)
	for {
		keys, err := source.ClusterGetKeysInSlot(t.Context(), int(slot), 3).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		from.do(t, args...)
		pause(20 * time.Millisecond)
	}
	owner := to.id(t)
	for _, n := range []*redisServer{to, from, c.nodes[0], c.nodes[1], c.nodes[2]} {
		n.do(t, "CLUSTER", "SETSLOT", slot, "NODE", owner)
	}
}
