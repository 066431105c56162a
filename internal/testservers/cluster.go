package testservers

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is a Redis Cluster of masters without replicas. Its nodes can be taken down and brought
// back like any Server; a node remembers its place in the cluster, but not its keys.
type Cluster struct {
	Nodes []*Server
}

// Addrs returns the host:port of every node.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr()
	}
	return addrs
}

const (
	masters = 3
	slots   = 16384 // fixed by Redis Cluster
)

// StartRedisCluster starts three masters that share the slots, and waits until each of them calls
// the cluster complete. One master down makes a third of the keys unreachable: with no replica
// there is nobody to take them over.
func StartRedisCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range masters {
		c.Nodes = append(c.Nodes, private(t, newClusterNode))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.form(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func newClusterNode(f *folder) (kind, error) {
	k, err := newRedis(f)
	if err != nil {
		return nil, err
	}
	node := k.(redis)
	// Full coverage off: the keys of the other masters stay reachable when one is down. The announced
	// address is set because a node learns its own only from another node.
	node.extra = []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
		"--cluster-require-full-coverage", "no", "--cluster-announce-ip", "127.0.0.1"}
	return node, nil
}

// form hands out the slots, introduces the nodes to each other and waits until all agree.
func (c *Cluster) form(ctx context.Context) error {
	first := c.Nodes[0].in.port
	for i, node := range c.Nodes {
		claim := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * slots / masters; slot < (i+1)*slots/masters; slot++ {
			claim = append(claim, strconv.Itoa(slot))
		}
		for _, command := range [][]string{
			{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)}, // or the nodes must settle who is who first
			claim,
			{"CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first)},
		} {
			if _, err := ask(ctx, node.in.port, command...); err != nil {
				return fmt.Errorf("testservers: %s %s: %w", command[0], command[1], err)
			}
		}
	}
	for _, node := range c.Nodes {
		if err := awaitComplete(ctx, node.in.port); err != nil {
			return err
		}
	}
	return nil
}

// awaitComplete waits until the node knows every other node and an owner for every slot.
func awaitComplete(ctx context.Context, port int) error {
	for {
		info, err := ask(ctx, port, "CLUSTER", "INFO")
		if err == nil && strings.Contains(info, "cluster_state:ok") &&
			strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d\r\n", slots)) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("testservers: the Redis Cluster does not form: %w: %s", ctx.Err(), info)
		}
		time.Sleep(pollInterval)
	}
}
