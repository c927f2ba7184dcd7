// Package cost reads what processes used of the machine, and what a signature costs on it. Needs Linux (/proc).
package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tick is what /proc counts CPU time in: a hundredth of a second, on every Linux that Go runs on.
const tick = 10_000 // microseconds

// stat is one line of /proc/PID/stat. Times are microseconds.
type stat struct {
	parent   int
	own      float64 // of the process, all threads
	children float64 // of its children that have ended
}

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name stands in parentheses and may hold anything.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var v [5]float64
	for i, field := range []int{1, 11, 12, 13, 14} {
		if v[i], err = strconv.ParseFloat(fields[field], 64); err != nil {
			return stat{}, err
		}
	}
	return stat{int(v[0]), (v[1] + v[2]) * tick, (v[3] + v[4]) * tick}, nil
}

// Of is the CPU time of one process so far, in microseconds.
func Of(pid int) (float64, error) {
	s, err := readStat(pid)
	return s.own, err
}

// OfTree is the CPU time of a server and of all processes that it forked, living or not.
func OfTree(root int) (float64, error) {
	s, err := readStat(root)
	if err != nil {
		return 0, err
	}
	total := s.own + s.children
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		// One that ends between the listing and here is counted by the next measurement, among the children that have ended.
		if s, err := readStat(pid); err == nil && s.parent == root {
			total += s.own
		}
	}
	return total, nil
}

// RSS is the resident memory of a process in MiB.
func RSS(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}

// Mebibytes is the size of a file.
func Mebibytes(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / (1 << 20), nil
}

// Parent is the process that started another one.
func Parent(pid int) (int, error) {
	s, err := readStat(pid)
	return s.parent, err
}
