package resource

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"time"
)

// target is what an entry of the feed names.
type target uint8

const (
	bySession target = iota
	bySubject
	byToken
	byKey
	byClient
	targets
)

var targetNames = map[string]target{"session": bySession, "subject": bySubject, "token": byToken, "key": byKey, "client": byClient}

// news is one entry of the feed.
type news struct {
	kind   target
	id     string
	number int64 // the epoch of a subject; the instant of a client, in seconds
	until  int64 // seconds
}

// set remembers entries: open addressing by 64-bit hashes over chunks of compact records. Readers take no lock, whatever the writer does;
// there is one writer.
type set struct {
	seeds [targets]maphash.Seed // of our own, so that nobody can choose ids that collide
	table atomic.Pointer[table]
}

type table struct {
	mask   uint64
	hashes []atomic.Uint64 // 0 is free
	refs   []atomic.Uint32 // chunk and offset of the record; written before its hash
	chunks atomic.Pointer[[][]byte]
	used   atomic.Int64 // slots taken; written by the writer alone
	filled int          // bytes of the last chunk
}

// A record is: kind and form (1), length (2), until (4), number (8, of subjects and clients alone), id. A UUID takes 16 bytes.
const (
	chunkBits  = 15
	chunkSize  = 1 << chunkBits
	recordHead = 7
	numberSize = 8
	maxTarget  = 4 << 10
	packed     = 0x80 // the id is a UUID
	firstSlots = 256
)

func newSet() *set {
	s := &set{}
	for i := range s.seeds {
		s.seeds[i] = maphash.MakeSeed()
	}
	s.table.Store(newTable(firstSlots))
	return s
}

func newTable(slots int) *table {
	t := &table{mask: uint64(slots - 1), hashes: make([]atomic.Uint64, slots), refs: make([]atomic.Uint32, slots), filled: chunkSize}
	t.chunks.Store(&[][]byte{})
	return t
}

func (s *set) hash(k target, id string) uint64 {
	return max(maphash.String(s.seeds[k], id), 1)
}

// find gives the number of an entry. It allocates nothing.
func (s *set) find(k target, id string) (number int64, ok bool) {
	t := s.table.Load()
	if id == "" {
		return 0, false
	}
	_, rec := t.seek(s.hash(k, id), k, id)
	if rec == nil {
		return 0, false
	}
	return rec.number(), true
}

// seek gives the slot of an entry with its record, or the slot where it would go.
func (t *table) seek(h uint64, k target, id string) (slot uint64, rec record) {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		switch t.hashes[i].Load() {
		case 0:
			return i, nil
		case h:
			if rec := t.record(t.refs[i].Load()); rec.names(k, id) {
				return i, rec
			}
		}
	}
}

func (t *table) record(ref uint32) record {
	chunk := (*t.chunks.Load())[ref>>chunkBits]
	rest := chunk[ref&(chunkSize-1):]
	return record(rest[:record(rest).size()])
}

// add takes an entry in. Of two about the same, the farther reaching counts.
func (s *set) add(n news) {
	t := s.table.Load()
	h := s.hash(n.kind, n.id)
	slot, old := t.seek(h, n.kind, n.id)
	if old != nil {
		n.number, n.until = max(n.number, old.number()), max(n.until, old.until())
		if n.number != old.number() || n.until != old.until() {
			t.refs[slot].Store(t.write(n))
		}
		return
	}
	if (int(t.used.Load())+1)*4 > len(t.hashes)*3 {
		t = s.rebuild(t, 0)
		slot, _ = t.seek(h, n.kind, n.id)
	}
	t.refs[slot].Store(t.write(n))
	t.hashes[slot].Store(h)
	t.used.Add(1)
}

// rebuild makes the table anew without what was to be forgotten before the instant, in seconds, with room to grow.
func (s *set) rebuild(old *table, before int64) *table {
	live := 0
	old.each(func(_ uint64, rec record) {
		if rec.until() >= before {
			live++
		}
	})
	next := newTable(slotsFor(live + 1))
	old.each(func(h uint64, rec record) {
		if rec.until() < before {
			return
		}
		i := h & next.mask
		for next.hashes[i].Load() != 0 {
			i = (i + 1) & next.mask
		}
		next.refs[i].Store(next.put(rec))
		next.hashes[i].Store(h)
		next.used.Add(1)
	})
	s.table.Store(next)
	return next
}

// slotsFor gives the slots for n entries: a power of two, at most three quarters of them taken.
func slotsFor(n int) int {
	return max(firstSlots, 1<<bits.Len(uint(n*4/3)))
}

func (t *table) each(do func(h uint64, rec record)) {
	for i := range t.hashes {
		if h := t.hashes[i].Load(); h != 0 {
			do(h, t.record(t.refs[i].Load()))
		}
	}
}

// forget lets go of entries whose time was over before the instant, when there are enough of them to be worth it.
func (s *set) forget(before time.Time) {
	t := s.table.Load()
	dead, second := 0, before.Unix()
	t.each(func(_ uint64, rec record) {
		if rec.until() < second {
			dead++
		}
	})
	if dead > int(t.used.Load())/8 {
		s.rebuild(t, second)
	}
}

// size gives entries and bytes.
func (s *set) size() (entries, bytes int) {
	t := s.table.Load()
	return int(t.used.Load()), len(t.hashes)*12 + len(*t.chunks.Load())*chunkSize
}

// write lays a record down.
func (t *table) write(n news) uint32 {
	var b [recordHead + numberSize + maxTarget]byte
	b[0] = byte(n.kind)
	at := recordHead
	if n.kind == bySubject || n.kind == byClient {
		binary.LittleEndian.PutUint64(b[at:], uint64(n.number))
		at += numberSize
	}
	if id, ok := uuid(n.id); ok {
		b[0] |= packed
		at += copy(b[at:], id[:])
	} else {
		at += copy(b[at:], n.id)
	}
	binary.LittleEndian.PutUint16(b[1:], uint16(at))
	binary.LittleEndian.PutUint32(b[3:], uint32(min(max(n.until, 0), 1<<32-1)))
	return t.put(b[:at])
}

func (t *table) put(rec record) uint32 {
	chunks := *t.chunks.Load()
	if t.filled+len(rec) > chunkSize {
		chunks = append(chunks[:len(chunks):len(chunks)], make([]byte, chunkSize)) // readers keep the old list
		t.chunks.Store(&chunks)
		t.filled = 0
	}
	copy(chunks[len(chunks)-1][t.filled:], rec)
	ref := uint32(len(chunks)-1)<<chunkBits | uint32(t.filled)
	t.filled += len(rec)
	return ref
}

// record is one entry as it is kept.
type record []byte

func (r record) size() int    { return int(binary.LittleEndian.Uint16(r[1:])) }
func (r record) until() int64 { return int64(binary.LittleEndian.Uint32(r[3:])) }
func (r record) kind() target { return target(r[0] &^ packed) }

func (r record) number() int64 {
	if k := r.kind(); k != bySubject && k != byClient {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(r[recordHead:]))
}

// names compares in full: two ids may have one hash.
func (r record) names(k target, id string) bool {
	if r.kind() != k {
		return false
	}
	body := r[recordHead:]
	if k == bySubject || k == byClient {
		body = body[numberSize:]
	}
	if r[0]&packed == 0 {
		return string(body) == id
	}
	u, ok := uuid(id)
	return ok && u == [16]byte(body)
}

// uuid packs the usual form of a UUID: lower case, with hyphens. Other forms are other texts.
func uuid(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	n := 0
	for i := 0; i < 36; i += 2 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		hi, lo := nibble(s[i]), nibble(s[i+1])
		if hi > 15 || lo > 15 {
			return u, false
		}
		u[n] = hi<<4 | lo
		n++
	}
	return u, true
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
