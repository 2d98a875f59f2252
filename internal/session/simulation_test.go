package session_test

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A browser whose tabs share a cookie jar (an older Set-Cookie that arrives late wins), with requests up to 1 s and replies up to 8 s
// late, one reply in five lost, and every tab refreshing every few seconds: why both grace and min_rotation are 60 s.
func TestSimulationWhyBoth(t *testing.T) {
	const runs = 20
	for _, tt := range []struct {
		name               string
		grace, minRotation int64
		late               time.Duration
		tabs               int
		long               time.Duration
		thief              bool
		endedAll           bool
	}{
		{"short grace without min_rotation ends every honest family", 10, 0, 8 * time.Second, 3, 6 * time.Hour, false, true},
		{"60 and 60 end none", 60, 60, 8 * time.Second, 3, 30 * time.Minute, false, false},
		{"60 and 60 end none with replies 25 s late", 60, 60, 25 * time.Second, 3, 30 * time.Minute, false, false},
		{"60 and 60 end none with ten tabs", 60, 60, 8 * time.Second, 10, 30 * time.Minute, false, false},
		{"60 and 60 notice every thief", 60, 60, 8 * time.Second, 3, 30 * time.Minute, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ended := 0
			for seed := range runs {
				b := newBrowser(t, uint64(seed), tt.grace, tt.minRotation)
				b.late, b.tabs = tt.late, tt.tabs
				if b.live(tt.long, tt.thief) {
					ended++
				}
			}
			if tt.endedAll && ended != runs || !tt.endedAll && ended != 0 {
				t.Errorf("%d of %d families ended", ended, runs)
			}
		})
	}
}

type browser struct {
	*scene
	rand *rand.Rand
	late time.Duration
	tabs int
	jar  secret.Text
	todo agenda
	over bool
}

func newBrowser(t *testing.T, seed uint64, grace, minRotation int64) *browser {
	c := newScene(t)
	client := *c.w.Client
	client.Settings.Lives.RefreshGraceS, client.Settings.Lives.RefreshMinRotationS = &grace, &minRotation
	c.w.Client = &client
	return &browser{scene: c, rand: rand.New(rand.NewPCG(seed, 7)), jar: c.open.Refresh}
}

func (b *browser) upTo(d time.Duration) time.Duration { return time.Duration(b.rand.Int64N(int64(d))) }

func (b *browser) at(after time.Duration, do func()) {
	heap.Push(&b.todo, appointment{b.now.Add(after), do})
}

// live runs the browser for a while and reports whether its family was ended as stolen.
func (b *browser) live(long time.Duration, thief bool) bool {
	end := b.now.Add(long)
	for range b.tabs {
		b.at(b.upTo(5*time.Second), b.tab)
	}
	if thief { // copies the newest token after a while, and refreshes when the access token that came with it is nearly dead
		b.at(5*time.Minute+b.upTo(time.Minute), func() {
			copied := b.jar
			b.at(13*time.Minute+b.upTo(2*time.Minute), func() { b.use(copied) })
		})
	}
	for !b.over && len(b.todo) > 0 && b.todo[0].at.Before(end) {
		next := heap.Pop(&b.todo).(appointment)
		b.now = next.at
		next.do()
	}
	return b.over
}

func (b *browser) tab() {
	sent := b.jar
	b.at(b.upTo(time.Second), func() {
		got, ok := b.use(sent)
		if ok && b.rand.Float64() >= 0.2 {
			b.at(b.upTo(b.late), func() { b.jar = got })
		}
	})
	b.at(2*time.Second+b.upTo(4*time.Second), b.tab)
}

func (b *browser) use(t secret.Text) (secret.Text, bool) {
	got, err := b.refresh(t)
	switch fault.ReasonOf(err) {
	case fault.ReasonRefreshReused:
		b.over = true
	case "", fault.ReasonSuperseded:
	default:
		b.Fatalf("refused: %v", err)
	}
	return got.Refresh, err == nil
}

type appointment struct {
	at time.Time
	do func()
}

// agenda is a heap of appointments, the soonest first.
type agenda []appointment

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
