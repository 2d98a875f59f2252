package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on Linux

// cpuOf sums the processor time of a process and, with its children, of a database server.
func cpuOf(pid int, children bool) time.Duration {
	if pid == 0 {
		return 0
	}
	own, dead := stat(pid)
	if !children {
		return own
	}
	total := own + dead
	kids, _ := filepath.Glob("/proc/[0-9]*")
	for _, k := range kids {
		n, err := strconv.Atoi(filepath.Base(k))
		if err == nil && parent(n) == pid {
			t, d := stat(n)
			total += t + d
		}
	}
	return total
}

func fields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	text := string(b)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}

func stat(pid int) (own, children time.Duration) {
	f := fields(pid)
	if len(f) < 15 {
		return 0, 0
	}
	n := func(i int) time.Duration { v, _ := strconv.Atoi(f[i]); return time.Duration(v) * clockTick }
	return n(11) + n(12), n(13) + n(14)
}

func parent(pid int) int {
	f := fields(pid)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// residentMiB is the resident memory of a process.
func residentMiB(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb / 1024
		}
	}
	return 0
}
