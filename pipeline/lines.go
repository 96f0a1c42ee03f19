package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weirstream/weir/statestore"
)

// maxLine bounds a line of input; a longer one is a bad line, not a reason to stop.
const maxLine = 16 << 20

// noTime is the timestamp of a message that has none.
const noTime = -1

// lineBatch is how many lines one Fetch returns at most.
const lineBatch = 1024

// A LineSource reads a stream of lines as a partition: a line's number, counted from
// 1 over everything ever read with the same state, is its offset. Empty lines count
// but are no messages.
type LineSource struct {
	r     *bufio.Reader
	first int64 // number of this input's first line
	next  int64
}

// NewLineSource returns a source over r.
func NewLineSource(r io.Reader) *LineSource {
	return &LineSource{r: bufio.NewReaderSize(r, 1<<20)}
}

// Seek implements [Source]: the input's first line gets the given number. A stream of
// lines that goes on where an earlier one stopped thus numbers its lines as one stream
// would.
func (s *LineSource) Seek(_ context.Context, offset int64, _ bool) (int64, error) {
	s.first = max(offset, 1)
	s.next = s.first
	return s.next, nil
}

// Line returns the number, from 1, that a line has in this input alone.
func (s *LineSource) Line(offset int64) int64 { return offset - s.first + 1 }

// Fetch implements [Source].
func (s *LineSource) Fetch(ctx context.Context, b *Batch) error {
	b.Reset()
	b.End = statestore.NoOffset
	for len(b.Messages) < lineBatch {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := s.readLine(b)
		end := errors.Is(err, io.EOF)
		if end && len(line) == 0 {
			break
		}
		if err != nil && !end {
			return fmt.Errorf("read line %d: %w", s.Line(s.next), err)
		}
		if len(line) > 0 {
			b.Messages = append(b.Messages, Message{Offset: s.next, Time: noTime, Value: line})
		}
		s.next++
		// Do not wait for more lines than are there: an answer should follow its event.
		if !s.lineBuffered() {
			break
		}
	}
	b.Next = s.next
	if len(b.Messages) == 0 {
		if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
			return ErrEnd
		}
	}
	return nil
}

// lineBuffered reports whether a whole line can be read without waiting.
func (s *LineSource) lineBuffered() bool {
	// Peek cannot fail for what is there already.
	there, _ := s.r.Peek(s.r.Buffered())
	return bytes.IndexByte(there, '\n') >= 0
}

// readLine returns the next line without its end, in b's memory. Of a line beyond
// maxLine it returns the first part, which is still too large for any event.
func (s *LineSource) readLine(b *Batch) ([]byte, error) {
	part, err := s.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		var long []byte
		for errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part[:min(len(part), maxLine-len(long))]...)
			part, err = s.r.ReadSlice('\n')
		}
		part = append(long, part[:min(len(part), maxLine-len(long))]...)
	}
	part = bytes.TrimRight(part, "\r\n")
	line := b.take(len(part))
	copy(line, part)
	return line, err
}

// Commit implements [Source]: a stream of lines remembers nothing.
func (s *LineSource) Commit(context.Context, int64) error { return nil }

// A LineSink writes each message's value as a line.
type LineSink struct{ w *bufio.Writer }

// NewLineSink returns a sink that writes to w.
func NewLineSink(w io.Writer) *LineSink { return &LineSink{w: bufio.NewWriterSize(w, 1<<20)} }

// Write implements [Sink]. The lines are handed to the operating system before it
// returns.
func (s *LineSink) Write(_ context.Context, msgs []Message) error {
	for i := range msgs {
		// bufio.Writer keeps its first error for Flush.
		_, _ = s.w.Write(msgs[i].Value)
		_ = s.w.WriteByte('\n')
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write scores: %w", err)
	}
	return nil
}
