package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/statestore"
)

// A line is what a LineSource makes of one: its number and its text.
type line struct {
	Offset int64
	Text   string
}

// readAll fetches to the end and returns the messages and the offset after them.
func readAll(tb rapid.TB, s *LineSource) (all []line, next int64) {
	tb.Helper()
	var b Batch
	for {
		err := s.Fetch(context.Background(), &b)
		if errors.Is(err, ErrEnd) {
			return all, b.Next
		}
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range b.Messages {
			all = append(all, line{m.Offset, string(m.Value)})
		}
	}
}

func newSeeked(tb rapid.TB, r io.Reader, offset int64) *LineSource {
	tb.Helper()
	s := NewLineSource(r)
	if _, err := s.Seek(context.Background(), offset, false); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestLinesAreNumberedWhateverTheirEnds(t *testing.T) {
	long := strings.Repeat("x", 1<<20+3)
	for name, c := range map[string]struct {
		input string
		want  []line
		next  int64
	}{
		"nothing":              {"", nil, 1},
		"one":                  {"a\n", []line{{1, "a"}}, 2},
		"no final newline":     {"a\nb", []line{{1, "a"}, {2, "b"}}, 3},
		"blank lines count":    {"\n\na\n\nb\n\n", []line{{3, "a"}, {5, "b"}}, 7},
		"only blank lines":     {"\n\n\n", nil, 4},
		"carriage returns":     {"a\r\n\r\nb\r\nc\r", []line{{1, "a"}, {3, "b"}, {4, "c"}}, 5},
		"spaces are a text":    {" \n\t\n", []line{{1, " "}, {2, "\t"}}, 3},
		"any bytes":            {"\x00\xff\n\u2028\n", []line{{1, "\x00\xff"}, {2, "\u2028"}}, 3},
		"beyond the buffer":    {"a\n" + long + "\nb\n", []line{{1, "a"}, {2, long}, {3, "b"}}, 4},
		"beyond it at the end": {long + "y", []line{{1, long + "y"}}, 2},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":         func(r io.Reader) io.Reader { return r },
			"halves":        iotest.HalfReader,
			"byte by byte":  iotest.OneByteReader,
			"error at once": iotest.DataErrReader,
		} {
			got, next := readAll(t, newSeeked(t, wrap(strings.NewReader(c.input)), statestore.NoOffset))
			if !slices.Equal(got, c.want) || next != c.next {
				t.Errorf("%s, read %s: %d lines, next %d; want %d, next %d", name, how, len(got), next, len(c.want), c.next)
			}
		}
	}
}

func TestManyLinesComeInSeveralBatches(t *testing.T) {
	const n = 5*lineBatch + 7
	s := newSeeked(t, strings.NewReader(strings.Repeat("a\n", n)), statestore.NoOffset)
	var b Batch
	for at := int64(1); at <= n; at = b.Next {
		if err := s.Fetch(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if want := min(lineBatch, n+1-at); int64(len(b.Messages)) != want || b.Messages[0].Offset != at || b.Next != at+want {
			t.Fatalf("at line %d: %d lines from %d, next %d", at, len(b.Messages), b.Messages[0].Offset, b.Next)
		}
	}
}

func TestEndlessLineDoesNotTakeTheMemory(t *testing.T) {
	const length = 256 << 20
	input := io.MultiReader(io.LimitReader(endless{}, length), strings.NewReader("\nnext\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, _ := readAll(t, newSeeked(t, input, statestore.NoOffset))
	runtime.ReadMemStats(&after)
	if len(got) != 2 || len(got[0].Text) != maxLine || got[1] != (line{2, "next"}) {
		t.Errorf("%d lines, the first of %d bytes", len(got), len(got[0].Text))
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > length/2 {
		t.Errorf("%d MiB were allocated for a line of %d MiB", taken>>20, length>>20)
	}
}

// endless is a reader of x's.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestPiecesAreNumberedAsOneStreamWouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[ab\r]{0,3}`)).Draw(t, "lines")
		cut := rapid.IntRange(0, len(lines)).Draw(t, "cut")
		first, second := text(lines[:cut]), text(lines[cut:])
		want, wantNext := readAll(t, newSeeked(t, strings.NewReader(first+second), statestore.NoOffset))

		got, next := readAll(t, newSeeked(t, strings.NewReader(first), statestore.NoOffset))
		s := newSeeked(t, strings.NewReader(second), next)
		more, next := readAll(t, s)
		if diff := cmp.Diff(want, append(got, more...)); diff != "" || next != wantNext {
			t.Fatalf("next %d, want %d; lines (-whole +in pieces):\n%s", next, wantNext, diff)
		}
		for _, l := range more {
			if own := s.Line(l.Offset); own != l.Offset-int64(cut) {
				t.Fatalf("line %d is said to be line %d of the second piece, which begins after %d", l.Offset, own, cut)
			}
		}
	})
}

func text(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return b.String()
}

func TestScoringInPiecesGivesTheSameLines(t *testing.T) {
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf(`{"stream":"s%d","ts":%d,"value":%d}`, i%3, 1_780_000_000_000+60_000*i, i*i%11))
	}
	lines[7], lines[130] = "", "no json"
	m := tinyModel(t)
	score := func(store statestore.Store, lines []string) string {
		var out bytes.Buffer
		w := newWorker(t, newOperator(m, store), NewLineSource(strings.NewReader(text(lines))), NewLineSink(&out), &sliceSink{})
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := score(statestore.NewMemory(), lines)
	for _, cut := range []int{0, 1, 7, 8, 130, 131, 299, 300} {
		store := statestore.NewMemory()
		got := score(store, lines[:cut])
		got += score(store, lines[cut:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cut after %d lines (-whole +in pieces):\n%s", cut, diff)
		}
	}
}

func TestAnswerDoesNotWaitForTheNextLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := newSeeked(t, r, statestore.NoOffset)
		fetched := make(chan []string)
		go func() {
			defer close(fetched)
			var b Batch
			for s.Fetch(t.Context(), &b) == nil {
				var values []string
				for _, m := range b.Messages {
					values = append(values, string(m.Value))
				}
				fetched <- values
			}
		}()
		// What is fetched must be there before more is written.
		for _, c := range []struct {
			write string
			want  []string
		}{
			{"one\n", []string{"one"}},
			{"tw", nil},
			{"o\nthree\nfo", []string{"two", "three"}},
			{"ur", nil},
			{"\n", []string{"four"}},
		} {
			if _, err := w.Write([]byte(c.write)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			var got []string
			select {
			case got = <-fetched:
			default:
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("after %q (-want +got):\n%s", c.write, diff)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for got := range fetched {
			t.Errorf("more lines: %q", got)
		}
	})
}

func TestReadErrorComesAfterTheLinesBeforeIt(t *testing.T) {
	broken := errors.New("input/output error")
	s := newSeeked(t, io.MultiReader(strings.NewReader("a\nb\nc"), iotest.ErrReader(broken)), 101)
	var b Batch
	if err := s.Fetch(t.Context(), &b); err != nil || len(b.Messages) != 2 {
		t.Fatalf("%v, %d lines, want those before the error", err, len(b.Messages))
	}
	err := s.Fetch(t.Context(), &b)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "read line 3:") || len(b.Messages) > 0 {
		t.Errorf("error %v, %d lines", err, len(b.Messages))
	}
}

func TestFetchOfLinesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var b Batch
	if err := newSeeked(t, strings.NewReader("a\n"), 1).Fetch(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestLineSinkWritesALineEachAndSaysWhatFailed(t *testing.T) {
	var out bytes.Buffer
	sink := NewLineSink(&out)
	for _, part := range [][]Message{texts(0, "a", ""), nil, texts(0, "b")} {
		if err := sink.Write(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "a\n\nb\n" {
		t.Errorf("written: %q", out.String())
	}
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := NewLineSink(w).Write(t.Context(), texts(0, "a")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to nobody: %v", err)
	}
}
