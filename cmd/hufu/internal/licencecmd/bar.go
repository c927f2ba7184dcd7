package licencecmd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// bar shows how a job gets on: one line that moves on a terminal, else a line of its own at each tenth.
type bar struct {
	out      io.Writer
	terminal bool
	began    time.Time
	first    int64 // where it stood when we began to watch
	shown    time.Time
	tenth    int64
	line     bool
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out, tenth: -1}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// show says that done of all are done; last makes it say so even if it just did.
func (b *bar) show(what string, done, all int64, unit string, last bool) {
	now := time.Now()
	if b.began.IsZero() {
		b.began, b.first = now, done
	}
	tenth := int64(10)
	if all > 0 {
		tenth = done * 10 / all
	}
	last = last || done >= all
	if !b.terminal && tenth == b.tenth || b.terminal && !last && now.Sub(b.shown) < 200*time.Millisecond {
		return
	}
	b.shown, b.tenth = now, tenth
	text := fmt.Sprintf("%s %3d%%  %d of %d %s%s", what, percent(done, all), done, all, unit, b.speed(done, all, now))
	if !b.terminal {
		fmt.Fprintln(b.out, text)
		return
	}
	filled := int(percent(done, all)) / 4
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", filled), strings.Repeat(".", 25-filled), text)
	b.line = true
}

func percent(done, all int64) int64 {
	if all <= 0 {
		return 100
	}
	return min(100, done*100/all)
}

// speed is how fast it goes and how long it will take at that.
func (b *bar) speed(done, all int64, now time.Time) string {
	passed := now.Sub(b.began).Seconds()
	if passed < 1 || done <= b.first {
		return ""
	}
	each := float64(done-b.first) / passed
	text := fmt.Sprintf(", %.0f a second", each)
	if done < all {
		text += fmt.Sprintf(", %s to go", (time.Duration(float64(all-done)/each) * time.Second).Round(time.Second))
	}
	return text
}

// end leaves the line.
func (b *bar) end() {
	if b.line {
		fmt.Fprintln(b.out)
		b.line = false
	}
}
