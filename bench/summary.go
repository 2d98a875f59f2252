package main

import (
	"fmt"
	"time"
)

// result is one line of the run, kept for the table at its end.
type result struct {
	work        work
	conns       int
	floor, ours *side
}

func (r result) cpu() float64 { return micros(r.floor.cpuPerOp()) / micros(r.ours.cpuPerOp()) }

func (r result) rate() float64 { return r.ours.turn.perSecond() / r.floor.turn.perSecond() }

func (r result) tail() float64 {
	return float64(r.ours.turn.p99()) / float64(max(r.floor.turn.p99(), time.Microsecond))
}

// goal is what the work aims at, a ratio or a time, and whether that is reached.
func (r result) goal() (goal, reached string) {
	var met bool
	switch {
	case r.work.goal > 0:
		goal, met = fmt.Sprintf("%.2f", r.work.goal), r.cpu() >= r.work.goal
	case r.work.most > 0:
		goal, met = r.work.most.String(), r.ours.cpuPerOp() <= r.work.most
	default:
		return "-", "-"
	}
	if met {
		return goal, "yes"
	}
	return goal, "no"
}

// summary puts the goals next to what was measured: ratios to the floor at 16 connections, and what 64 connections leave of it.
func (p *pair) summary() {
	fmt.Printf("\n%-10s %-26s %6s %6s %8s %6s %12s %12s\n", "engine", "ratios to the floor", "goal", "cpu", "reached", "req/s", "64 : 16", "p99 at 64")
	for _, r := range p.results {
		if r.conns != 16 {
			continue
		}
		goal, reached := r.goal()
		kept, tail := "-", "-"
		for _, wide := range p.results {
			if wide.work.name == r.work.name && wide.conns == 64 {
				kept = fmt.Sprintf("%.2f", wide.ours.turn.perSecond()/r.ours.turn.perSecond())
				tail = fmt.Sprintf("%.1f", wide.tail())
			}
		}
		fmt.Printf("%-10s %-26s %6s %6.2f %8s %6.2f %12s %12s\n", p.engine, r.work.name, goal, r.cpu(), reached, r.rate(), kept, tail)
	}
	fmt.Println("goals: cpu as given; 64 : 16 at least 0.90; p99 at 64 at most 2.0 times the floor's")
	fmt.Println()
}
