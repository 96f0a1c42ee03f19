package operator

import "github.com/weirstream/weir/statestore"

// A cache holds the streams in memory, the most recently used first.
type cache struct {
	live           map[string]*stream
	newest, oldest *stream
	further        int // fields of streams beyond each stream's first
}

func newCache() cache { return cache{live: make(map[string]*stream)} }

// size is the number of states in memory; a stream without a field yet counts as one.
func (c *cache) size() int { return len(c.live) + c.further }

// size is what the stream counts for in its cache.
func (s *stream) size() int { return max(len(s.fields), 1) }

// add puts a stream that is not in the cache at its front.
func (c *cache) add(s *stream) {
	c.live[s.key] = s
	c.further += s.size() - 1
	c.link(s)
}

// touch moves a stream of the cache to its front.
func (c *cache) touch(s *stream) {
	if c.newest == s {
		return
	}
	c.unlink(s)
	c.link(s)
}

// evict drops the least recently used streams until at most n states are left, and
// returns the greatest of their offsets. None of them may be dirty.
func (c *cache) evict(n int) (lsn int64) {
	lsn = statestore.NoOffset
	for c.size() > n {
		s := c.oldest
		if s.dirty {
			panic("operator: evicting stream " + s.key + ", which is not saved")
		}
		c.unlink(s)
		c.further -= s.size() - 1
		delete(c.live, s.key)
		lsn = max(lsn, s.lsn)
	}
	return lsn
}

func (c *cache) link(s *stream) {
	s.older, s.newer = c.newest, nil
	if c.newest != nil {
		c.newest.newer = s
	} else {
		c.oldest = s
	}
	c.newest = s
}

func (c *cache) unlink(s *stream) {
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		c.newest = s.older
	}
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		c.oldest = s.newer
	}
}
