package statestore

import (
	"fmt"
	"sync"
)

// chains number the writes of each partition that this process claimed, so that a store
// which lost one is found out: its last number is then below one that it had acknowledged.
type chains struct {
	mu sync.Mutex
	of map[Partition]*chain
}

type chain struct {
	token        Token
	tried, acked int64
}

// claimed begins p's chain at the number that the store has, and says whether that is
// below what it had acknowledged before.
func (c *chains) claimed(p Partition, token, previous Token, writes int64) (regressed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.of[p]
	if c.of == nil {
		c.of = make(map[Partition]*chain)
	}
	c.of[p] = &chain{token: token, tried: writes, acked: writes}
	return old != nil && (previous.Compare(old.token) < 0 || previous == old.token && writes < old.acked)
}

// next is the number of p's next write, and that of the last acknowledged one. A process
// that did not claim p has no chain to hold against the store.
func (c *chains) next(p Partition, token Token) (acked, mine int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.of[p]
	if ch == nil || ch.token != token {
		return 0, 0
	}
	ch.tried++
	return ch.acked, ch.tried
}

// check says whether what p's meta holds is behind what p's owner in this process knows.
func (c *chains) check(p Partition, stored Token, writes int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.of[p]
	if ch == nil || stored.Compare(ch.token) > 0 || stored == ch.token && writes >= ch.acked {
		return nil
	}
	return fmt.Errorf("%w: it has %d writes of owner %s, and had acknowledged %d of owner %s", ErrRegressed, writes, stored, ch.acked, ch.token)
}

// done notes that p's write of the given number was acknowledged.
func (c *chains) done(p Partition, token Token, mine int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.of[p]; ch != nil && ch.token == token {
		ch.acked = max(ch.acked, mine)
	}
}
