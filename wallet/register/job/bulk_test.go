package job_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// HUFU_BULK is how many records TestBulk imports: it measures time, processor time of this process and peak memory.
func TestBulk(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("HUFU_BULK"))
	if err != nil || n < 1 {
		return // nothing to measure; what a job does is tested beside
	}
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		r, wr := io.Pipe()
		go func() { wr.CloseWithError(records.WriteLines(wr, 0, n)) }()
		began, cpu := time.Now(), processor()
		j := w.create(s, job.Upload{Format: "jsonl", Body: r})
		t.Logf("sent: %v, processor %v, %d bytes", time.Since(began), processor()-cpu, j.Size)
		began, cpu = time.Now(), processor()
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		took, used := time.Since(began), processor()-cpu
		t.Logf("%d records: %v, %.0f a second; processor %v, %v for each", n, took, float64(n)/took.Seconds(), used, used/time.Duration(n))
		if j = w.job(j.ID); j.State != job.Done || j.Created != int64(n) {
			t.Fatalf("%+v", j)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		status, _ := os.ReadFile("/proc/self/status")
		i := bytes.Index(status, []byte("VmHWM:"))
		t.Logf("peak memory %s, heap from the system %d MiB", bytes.TrimSpace(status[i+6:i+24]), m.HeapSys>>20)
	})
}

func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
