package ingest

import (
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Bounds of doubt: the other side of the stamps is named when it puts at least so
// many bars into the scheduled hours, and for every bar that it puts outside so
// many into them.
const (
	doubtRows  = 3
	doubtShare = 4
)

// doubt notes that the side of the stamps that was stated leaves bars outside of
// the scheduled hours that the other side would put into them. One bar a session
// that begins at its close is the mark of end stamps taken for begins.
func (b *builder) doubt() {
	s, length := b.out, int64(b.tf)
	if b.cfg.Stamps == "" || b.trusted || length <= 0 || b.rep.OffClock < doubtRows {
		return
	}
	other, shift := "begin", length
	if b.begin {
		other, shift = "end", -length
	}
	var c calendar.Session
	within := func(t int64) bool {
		if c.Contains(t) {
			return true
		}
		x, ok := b.cal.At(t)
		if ok {
			c = x
		}
		return ok
	}
	still, more := int64(0), int64(0)
	for i, end := range s.End {
		if within(end+shift-1) || within(s.Begin[i]+shift) {
			continue
		}
		if s.Flags[i]&bar.Irregular != 0 {
			still++
		} else {
			more++
		}
	}
	off := b.rep.OffClock
	if into := off - still; into < doubtRows || into < doubtShare*more {
		return
	}
	note := fmt.Sprintf("%d rows lie outside of the scheduled hours; with %s stamps %d of these %d rows would be off hours", off, other, still, off)
	if more > 0 {
		note += fmt.Sprintf(" (and %d others)", more)
	}
	b.rep.Notes = append(b.rep.Notes, note+": check the stamp side")
}
