package web

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/operator"
)

// prediction is of an event of one unnamed field.
func prediction(stream string, offset int64, value, score float64) operator.Prediction {
	return operator.Prediction{
		Event: operator.Event{
			Stream: []byte(stream), Offset: offset, Index: operator.WholeRecord, Time: 60_000 * offset, Fields: []operator.Field{{Value: value}},
		},
		Forecasts: []operator.Forecast{{YHat: value - 1, Lower: value - 2, Upper: value + 2}},
		PValue:    0.5, AnomalyScore: score, IsAnomaly: score > 1, Phase: operator.Ready, N: offset + 1, GapSeconds: 60,
	}
}

// show puts predictions of partition 0 on the board, without its goroutine.
func show(b *Board, predictions ...operator.Prediction) {
	b.Observe("events", 0, predictions)
	for {
		select {
		case buf := <-b.full:
			b.take(buf)
			b.free <- buf
		default:
			return
		}
	}
}

func TestBoardShowsTheLastPointsOfEachStream(t *testing.T) {
	b := NewBoard(0)
	for i := range int64(3000) {
		show(b, prediction("a", 2*i, float64(i), 0), prediction("b", 2*i+1, -float64(i), 0))
	}
	p, ok := b.Points("a", 0, maxPoints)
	if !ok || len(p.Points) != maxPoints || p.Seq != 3000 {
		t.Fatalf("%d points, seq %d", len(p.Points), p.Seq)
	}
	for i, row := range p.Points {
		want := float64(3000 - maxPoints + i)
		if row[pointHead] != want || row[pointOffset] != 2*want || row[pointHead+columnYHat] != want-1 {
			t.Fatalf("point %d is %v, want value %v", i, row, want)
		}
	}
	if p, _ := b.Points("b", 2998, maxPoints); len(p.Points) != 2 || p.Points[1][pointHead] != -2999 {
		t.Errorf("after the first 2998 points: %v", p.Points)
	}
	if _, ok := b.Points("c", 0, 1); ok {
		t.Error("a stream that never was has points")
	}
}

func TestReplayedEventsAreShownOnce(t *testing.T) {
	b := NewBoard(0)
	show(b, prediction("a", 5, 1, 0), prediction("a", 6, 2, 0))
	show(b, prediction("a", 5, 1, 0), prediction("a", 6, 2, 0), prediction("a", 7, 3, 0))
	if p, _ := b.Points("a", 0, 10); len(p.Points) != 3 {
		t.Errorf("%d points of 3 events", len(p.Points))
	}
	many := []operator.Prediction{prediction("a", 8, 1, 0), prediction("a", 8, 2, 0)}
	many[0].Index, many[1].Index = 0, 1
	show(b, many...) // two events of one record
	if p, _ := b.Points("a", 0, 10); len(p.Points) != 5 {
		t.Errorf("%d points of 5 events", len(p.Points))
	}
}

func TestWorstStreamsComeFirstAndCool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard(0)
		show(b, prediction("calm", 0, 1, 0.1), prediction("bad", 1, 1, 1.5), prediction("worse", 2, 1, 4), prediction("also calm", 3, 1, 0.3))
		show(b, prediction("worse", 4, 1, 0), prediction("bad", 5, 1, 0))
		names := func() (list []string) {
			for _, row := range b.List(Query{Sort: "worst", Limit: 10}).Streams {
				list = append(list, row.Name)
			}
			return list
		}
		if diff := cmp.Diff([]string{"worse", "bad", "also calm", "calm"}, names()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(10 * coolTime)
		if diff := cmp.Diff([]string{"also calm", "bad", "calm", "worse"}, names()); diff != "" {
			t.Errorf("once cool: %s", diff)
		}
	})
}

func TestListIsFilteredSortedAndPaged(t *testing.T) {
	b := NewBoard(0)
	for i := range int64(30) {
		for n := range i + 1 {
			show(b, prediction(fmt.Sprintf("Web-%02d", i), 100*i+n, 1, 0))
		}
	}
	page := b.List(Query{Text: "web-1", Sort: "events", Offset: 2, Limit: 3})
	if page.Total != 30 || page.Matched != 10 || page.Offset != 2 || len(page.Streams) != 3 || page.Streams[0].Name != "Web-17" {
		t.Errorf("%+v", page)
	}
	if page := b.List(Query{Sort: "name", Offset: 100, Limit: 3}); page.Streams == nil || len(page.Streams) != 0 {
		t.Errorf("beyond the end: %+v", page)
	}
}

func TestIncidentsBridgeShortQuiet(t *testing.T) {
	b := NewBoard(1.0 / 600)
	scores := []float64{0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1.5}
	for i, s := range scores {
		show(b, prediction("a", int64(i), 1, s))
	}
	list := b.Incidents("a", 10)
	if len(list) != 2 || !list[0].Open || list[1].Open || list[1].Alarms != 2 || list[1].Worst != 3 || list[1].First != "events-0-1" {
		t.Fatalf("%+v", list)
	}
	if list[1].Start != 60_000 || list[1].End != 240_000 {
		t.Errorf("from %d to %d", list[1].Start, list[1].End)
	}
	if !b.Judge("a", 1, falseAlarm) || b.Judge("b", 1, falseAlarm) || b.Judge("a", 3, falseAlarm) {
		t.Error("Judge finds what is not there, or not what is")
	}
	got := b.budgetSoFar()
	if got.Total != 2 || got.Open != 1 || got.FalseAlarms != 1 || math.Abs(got.Allowed-float64(len(scores))*60/600) > 1e-9 {
		t.Errorf("budget %+v", got)
	}
	again := prediction("a", 17, 1, 0)
	again.N = 1 // the stream began anew
	show(b, again)
	if b.budgetSoFar().Open != 0 {
		t.Error("an incident goes on after its stream began anew")
	}
}

func TestColumnsFollowAStreamsFields(t *testing.T) {
	b := NewBoard(0)
	fields := func(offset int64, names ...string) operator.Prediction {
		p := prediction("m", offset, 0, 0)
		p.Fields, p.Forecasts = nil, nil
		for _, name := range names {
			p.Fields = append(p.Fields, operator.Field{Name: []byte(name), Value: float64(offset)})
			p.Forecasts = append(p.Forecasts, operator.Forecast{})
			p.Attribution = append(p.Attribution, 1/float64(len(names)))
		}
		return p
	}
	show(b, fields(1, "c"), fields(2, "a", "c"), fields(3, "b"))
	p, _ := b.Points("m", 0, 10)
	if diff := cmp.Diff([]string{"a", "b", "c"}, p.Fields); diff != "" {
		t.Fatal(diff)
	}
	for i, want := range [][3]float64{{math.NaN(), math.NaN(), 1}, {2, math.NaN(), 2}, {math.NaN(), 3, math.NaN()}} {
		for c, v := range want {
			got := p.Points[i][pointHead+c*columnSize]
			if got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
				t.Errorf("point %d, field %s: %v, want %v", i, p.Fields[c], got, v)
			}
		}
	}
	if share := p.Points[1][pointHead+columnShare]; share != 0.5 {
		t.Errorf("share %v", share)
	}
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("f%02d", i))
	}
	show(b, fields(4, names...))
	if p, _ := b.Points("m", 0, 10); len(p.Fields) != maxColumns || !p.More {
		t.Errorf("%d fields, more: %t", len(p.Fields), p.More)
	}
}

func TestBoardKeepsToItsMemory(t *testing.T) {
	b := NewBoard(0)
	const streams = maxStreams + 500
	for round := range int64(3) {
		for i := range int64(streams) {
			score := 0.0
			if i == streams-1 {
				score = 5
			}
			show(b, prediction(fmt.Sprint("s", i), round*streams+i, 1, score))
		}
	}
	floats := 0
	for _, w := range b.byID {
		floats += w.ring.room * w.ring.stride()
	}
	if floats > boardFloats || len(b.byID) > maxStreams || len(b.streams) != len(b.byID) {
		t.Errorf("%d streams (%d by name) of %d numbers, at most %d", len(b.byID), len(b.streams), floats, boardFloats)
	}
	if b.room != minPoints || b.untold == 0 {
		t.Errorf("room for %d points, %d not told", b.room, b.untold)
	}
	if _, ok := b.Points(fmt.Sprint("s", streams-1), 0, 1); !ok {
		t.Error("a stream in an incident has no place on a full board")
	}
}

func TestRingKeepsTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring{room: rapid.IntRange(1, 20).Draw(t, "room"), width: 1}
		var all []float64
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				room := rapid.IntRange(1, 20).Draw(t, "new room")
				r.reshape(room, r.width)
			case 1:
				r.insertColumn(0)
				for i := range r.len() {
					r.at(i)[pointHead+columnValue] = r.at(i)[pointHead+columnSize+columnValue]
				}
			default:
				v := float64(len(all))
				row := r.next()
				for i := range r.width {
					row[pointHead+i*columnSize] = v
				}
				all = append(all, v)
			}
			if r.len() > r.room || r.seq != uint64(len(all)) {
				t.Fatalf("%d points in room for %d, seq %d of %d", r.len(), r.room, r.seq, len(all))
			}
			for i := range r.len() {
				if got, want := r.at(i)[pointHead], all[len(all)-r.len()+i]; got != want {
					t.Fatalf("point %d is %v, want %v", i, got, want)
				}
			}
		}
	})
}

// TestObserveNeverWaits observes more than the board takes, with nobody that takes it.
func TestObserveNeverWaits(t *testing.T) {
	b := NewBoard(0)
	batch := make([]operator.Prediction, 5000)
	for i := range batch {
		batch[i] = prediction("a", int64(i), 1, 0)
	}
	const rounds = 40
	for range rounds {
		b.Observe("events", 0, batch)
	}
	waiting := 0
	for len(b.full) > 0 {
		waiting += len((<-b.full).events)
	}
	if got := b.dropped.Load(); got+int64(waiting) != rounds*int64(len(batch)) || got == 0 {
		t.Errorf("%d dropped and %d waiting of %d", got, waiting, rounds*len(batch))
	}
}

// BenchmarkBoard is what a worker pays to be seen, and the board's goroutine beside it.
func BenchmarkBoard(b *testing.B) {
	batch := make([]operator.Prediction, 256)
	for i := range batch {
		batch[i] = prediction(fmt.Sprint("stream-", i), 0, 1, 0)
	}
	offset := int64(0)
	for name, run := range map[string]func(board *Board){
		"worker": func(board *Board) {
			buf := <-board.free
			buf.reset("events", 0)
			for i := range batch {
				buf.add(&batch[i])
			}
			board.free <- buf
		},
		"both": func(board *Board) { show(board, batch...) },
	} {
		b.Run(name, func(b *testing.B) {
			board := NewBoard(0)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					offset++
					batch[i].Offset, batch[i].N = offset, offset
				}
				run(board)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/event")
		})
	}
}
