package resource

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// digest names a token: the tokens themselves are not kept, so a dump of the memory gives none away.
type digest [sha256.Size]byte

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, jose.DefaultMaxSize); return &b }}

// digestOf copies the token into a kept buffer: a conversion would allocate it each time.
func digestOf(raw string) digest {
	b := buffers.Get().(*[]byte)
	*b = append((*b)[:0], raw...)
	sum := sha256.Sum256(*b)
	clear(*b)
	buffers.Put(b)
	return sum
}

// entry is an accepted token: it is accepted again while its key is the key of its kid, within its instants, and when the feed agrees.
type entry struct {
	token       Token
	key         *jose.PublicKey
	from, until time.Time
}

func (e *entry) good(set *keySet, now time.Time) bool {
	return set.keys.Find(e.token.KeyID) == e.key && now.Before(e.until) && !now.Before(e.from)
}

// cache remembers accepted tokens, in shards so that processors do not wait for each other. Each shard has two generations: when the young
// one is full, the old one is forgotten. That bounds the memory, keeps what is in use, and costs no list.
type cache struct {
	shards []shard
	half   int // entries of one generation of one shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[digest]*entry
}

const shards = 16

// newCache gives a cache of about size entries, nil for none.
func newCache(size int) *cache {
	if size <= 0 {
		return nil
	}
	c := &cache{shards: make([]shard, shards), half: max(1, size/shards/2)}
	for i := range c.shards {
		c.shards[i].young, c.shards[i].old = map[digest]*entry{}, map[digest]*entry{}
	}
	return c
}

func (c *cache) get(d digest) *entry {
	if c == nil {
		return nil
	}
	s := &c.shards[d[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.young[d]; e != nil {
		return e
	}
	e := s.old[d]
	if e != nil {
		s.put(d, e, c.half)
	}
	return e
}

func (c *cache) put(d digest, e *entry) {
	if c == nil {
		return
	}
	s := &c.shards[d[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(d, e, c.half)
}

func (s *shard) put(d digest, e *entry, half int) {
	if len(s.young) >= half {
		clear(s.old)
		s.young, s.old = s.old, s.young
	}
	s.young[d] = e
}

func (c *cache) drop(d digest) {
	if c == nil {
		return
	}
	s := &c.shards[d[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, d)
	delete(s.old, d)
}
