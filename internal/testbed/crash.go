package testbed

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kill ends the server as a power cut would: the postmaster and every process it has forked, which else answer for a moment longer and
// hold the shared memory. On return none of them runs any more.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	pid := s.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP) // so that it forks no more while we look
	children := childrenOf(pid)
	for _, c := range children { // before their parent, or they say good-bye to their clients first
		_ = syscall.Kill(c, syscall.SIGKILL)
	}
	s.signal(syscall.SIGKILL)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); anyRuns(children) && time.Now().Before(deadline); {
		<-tick.C
	}
}

// childrenOf reads /proc, since PostgreSQL's processes leave the group they were forked in. Elsewhere than on Linux it finds none.
func childrenOf(pid int) []int {
	var out []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := status(path); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			out = append(out, child)
		}
	}
	return out
}

func anyRuns(pids []int) bool {
	for _, pid := range pids {
		if fields := status(filepath.Join("/proc", strconv.Itoa(pid), "stat")); len(fields) > 0 && fields[0] != "Z" {
			return true
		}
	}
	return false
}

// status gives the fields of a stat file from the state on; they begin behind the last parenthesis of the command's name.
func status(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// Freeze stops the server and every process it has forked where they stand: connections stay open and answer nothing, as when a machine
// or its network hangs. The function it gives lets them go on.
func (s *Server) Freeze() (thaw func()) {
	pid := s.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP) // first, so that it forks no more
	all := append(childrenOf(pid), pid)
	for _, p := range all {
		_ = syscall.Kill(p, syscall.SIGSTOP)
	}
	return func() {
		for _, p := range all {
			_ = syscall.Kill(p, syscall.SIGCONT)
		}
	}
}
