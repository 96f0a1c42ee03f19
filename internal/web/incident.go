package web

import "time"

const (
	// quietEvents end an incident: so many events of the stream without an alarm.
	quietEvents = 10
	// keptIncidents of all streams are remembered.
	keptIncidents = 512
)

// An Incident is a run of alarms of one stream, with quiet spells shorter than
// quietEvents.
type Incident struct {
	ID     int    `json:"id"`
	Stream string `json:"stream"`
	// Start and End are the times of its first and last alarm, in Unix milliseconds.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// First is the id of its first alarm's event.
	First string `json:"first"`
	// Alarms is the number of events that raised one, Worst the highest score of them.
	Alarms int     `json:"alarms"`
	Worst  float64 `json:"worst"`
	Open   bool    `json:"open"`
	// Verdict is what a person has said of it: false_alarm, confirmed or nothing.
	Verdict string    `json:"verdict,omitempty"`
	Seen    time.Time `json:"seen"` // when it began, by the clock
}

// incidentLog holds the last incidents of all streams.
type incidentLog struct {
	kept   []*Incident // oldest first
	total  int
	judged int // false alarms
}

// episode is a stream's part in it.
type episode struct {
	current *Incident
	quiet   int // events since the last alarm
	total   int
}

// follow opens, extends or closes the stream's incident by one event; b.mu is held.
func (b *Board) follow(w *watched, ev *sighting) {
	e := &w.episode
	if ev.flags&flagAnomaly == 0 {
		if e.current != nil {
			if e.quiet++; e.quiet >= quietEvents {
				w.endEpisode()
			}
		}
		return
	}
	e.quiet = 0
	if e.current == nil {
		b.alarms.total++
		e.total++
		e.current = &Incident{
			ID: b.alarms.total, Stream: w.name, Start: ev.time, Open: true,
			First: eventID(w.topic, w.partition, float64(ev.offset)), Seen: w.seen,
		}
		b.alarms.keep(e.current)
	}
	e.current.End = ev.time
	e.current.Alarms++
	e.current.Worst = max(e.current.Worst, ev.score)
}

// endEpisode closes the stream's incident, where there is one.
func (w *watched) endEpisode() {
	if in := w.episode.current; in != nil {
		in.Open = false
		w.episode.current, w.episode.quiet = nil, 0
	}
}

func (l *incidentLog) keep(in *Incident) {
	if len(l.kept) >= keptIncidents {
		l.kept = append(l.kept[:0:0], l.kept[keptIncidents/4:]...)
	}
	l.kept = append(l.kept, in)
}

// Incidents returns the last incidents, of one stream or, where it is empty, of all,
// newest first, at most most of them.
func (b *Board) Incidents(stream string, most int) []Incident {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := []Incident{}
	for i := len(b.alarms.kept) - 1; i >= 0 && len(list) < most; i-- {
		if in := b.alarms.kept[i]; stream == "" || in.Stream == stream {
			list = append(list, *in)
		}
	}
	return list
}

// Judge records what a person says of an incident, and whether there is such.
func (b *Board) Judge(stream string, id int, verdict string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, in := range b.alarms.kept {
		if in.ID != id || in.Stream != stream {
			continue
		}
		if in.Verdict == falseAlarm {
			b.alarms.judged--
		}
		if in.Verdict = verdict; verdict == falseAlarm {
			b.alarms.judged++
		}
		return true
	}
	return false
}

// The verdicts that a person may give.
const (
	falseAlarm = "false_alarm"
	confirmed  = "confirmed"
)
