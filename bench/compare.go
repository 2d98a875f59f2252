package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// side is one half of a comparison.
type side struct {
	callers []*caller
	op      func(*caller) error
	stock   func() error // before each turn; may be nil
	cpu     func() time.Duration
	store   func() time.Duration // the part of cpu that is the database server's
	turn    turn
	used    time.Duration
	stored  time.Duration
}

func (p *pair) compare(ctx context.Context, o options, w work, conns int) error {
	floor, ours, err := p.sides(w, conns)
	if err != nil {
		return err
	}
	defer hangUp(floor.callers, ours.callers)
	for range o.turns {
		for _, s := range []*side{floor, ours} {
			if err := s.run(ctx, o.slice); err != nil {
				return err
			}
		}
	}
	p.print(w.name, conns, floor, ours)
	p.results = append(p.results, result{work: w, conns: conns, floor: floor, ours: ours})
	return nil
}

func (p *pair) sides(w work, conns int) (floor, ours *side, err error) {
	postgres := func() time.Duration { return cpuOf(p.postmaster, true) }
	body := `{"refresh_token":"` + strings.Repeat("r", 150) + `"}`
	floor = &side{
		store: postgres,
		cpu:   func() time.Duration { return cpuOf(p.floor.cmd.Process.Pid, false) + postgres() },
		op: func(c *caller) error {
			if w.floor == "/jwks" || w.floor == "/me" {
				_, err := c.call("GET", w.floor, "", "")
				return err
			}
			_, err := c.call("POST", w.floor, "", body)
			return err
		},
	}
	ours = &side{op: w.op, store: postgres, cpu: func() time.Duration { return cpuOf(p.product.cmd.Process.Pid, false) + postgres() }}
	if w.stock != nil {
		ours.stock = func() error { return w.stock(p, ours.callers) }
	}
	for number := range conns {
		f, err := dial(p.floor.url)
		if err != nil {
			return nil, nil, err
		}
		c, err := dial(p.product.url)
		if err != nil {
			return nil, nil, err
		}
		c.client, c.number = w.client, number
		if err := c.logIn(w.client); err != nil {
			return nil, nil, err
		}
		if w.ready != nil {
			if err := w.ready(p, c); err != nil {
				return nil, nil, err
			}
		}
		floor.callers, ours.callers = append(floor.callers, f), append(ours.callers, c)
	}
	return floor, ours, nil
}

func (s *side) run(ctx context.Context, d time.Duration) error {
	if s.stock != nil {
		if err := s.stock(); err != nil {
			return err
		}
	}
	before, stored := s.cpu(), s.store()
	t, err := load(ctx, s.callers, d, s.op)
	s.used += s.cpu() - before
	s.stored += s.store() - stored
	s.turn.add(t)
	return err
}

func (s *side) cpuPerOp() time.Duration { return s.used / time.Duration(max(1, s.turn.ops)) }

func (s *side) storePerOp() time.Duration { return s.stored / time.Duration(max(1, s.turn.ops)) }

func hangUp(all ...[]*caller) {
	for _, callers := range all {
		for _, c := range callers {
			_ = c.conn.Close()
		}
	}
}

func (p *pair) print(name string, conns int, floor, ours *side) {
	fmt.Printf("%-10s %-26s %5d %10.0f %10.0f %6.2f %10.0f %10.0f %6.2f %8s %8s %5.0f %6.0f\n", p.engine, name, conns,
		floor.turn.perSecond(), ours.turn.perSecond(), ours.turn.perSecond()/floor.turn.perSecond(),
		micros(floor.cpuPerOp()), micros(ours.cpuPerOp()), micros(floor.cpuPerOp())/micros(ours.cpuPerOp()),
		floor.turn.p99().Round(100*time.Microsecond), ours.turn.p99().Round(100*time.Microsecond),
		micros(floor.storePerOp()), micros(ours.storePerOp()))
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// compareSizes measures a refresh before and after the store is filled with a million sessions.
func (p *pair) compareSizes(ctx context.Context, o options) error {
	measure := func() (*side, error) {
		_, ours, err := p.sides(works[1], 16)
		if err != nil {
			return nil, err
		}
		defer hangUp(ours.callers)
		if err := ours.run(ctx, o.slice); err != nil { // warm
			return nil, err
		}
		ours.turn, ours.used = turn{}, 0
		for range o.turns {
			if err := ours.run(ctx, o.slice); err != nil {
				return nil, err
			}
		}
		return ours, nil
	}
	small, err := measure()
	if err != nil {
		return err
	}
	if err := p.fill(ctx, o.big); err != nil {
		return err
	}
	big, err := measure()
	if err != nil {
		return err
	}
	fmt.Printf("%-10s refresh ES256, 16 conns: few sessions %.0f/s %.0f µs; %d sessions %.0f/s %.0f µs; ratio %.2f\n", p.engine,
		small.turn.perSecond(), micros(small.cpuPerOp()), o.big, big.turn.perSecond(), micros(big.cpuPerOp()),
		micros(small.cpuPerOp())/micros(big.cpuPerOp()))
	return nil
}

// startAndMemory restarts the product on its store a few times and looks at it when it is idle.
func (p *pair) startAndMemory(_ context.Context, o options) error {
	var took []time.Duration
	for range 7 {
		p.product.stop()
		if err := p.startProduct(o); err != nil {
			return err
		}
		took = append(took, p.took)
	}
	slices.Sort(took)
	time.Sleep(5 * time.Second)
	fmt.Printf("%-10s start (keys and schema exist): median %s of %s…%s; idle memory %.1f MiB\n", p.engine,
		took[len(took)/2].Round(100*time.Microsecond), took[0].Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond),
		residentMiB(p.product.cmd.Process.Pid))
	_ = os.Stdout.Sync()
	return nil
}
