package chaos

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// A row is what one fault did.
type row struct {
	fault      string
	injected   int
	events     int
	lost       int
	duplicated int
	altered    int
	states     int
	// policy says what was configured to happen, and did, where that is not to go on as if
	// nothing had been.
	policy    string
	mayRepeat bool // duplicated outputs are what was configured
}

// faults counts what no policy allows.
func (r *row) faults() int {
	n := r.lost + r.altered + r.states
	if !r.mayRepeat {
		n += r.duplicated
	}
	return n
}

// A table collects rows.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
}

// String is the table in Markdown, its rows sorted and its columns aligned.
func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	line := func(cells ...any) {
		row := "| "
		for _, c := range cells {
			row += fmt.Sprint(c) + "\t| "
		}
		_, _ = io.WriteString(w, strings.TrimSpace(row)+"\n") // a Builder takes everything
	}
	line("fault", "injected", "events", "lost", "duplicated", "altered", "states differing", "what the policy did")
	line("---", "---", "---", "---", "---", "---", "---", "---")
	slices.SortFunc(t.rows, func(a, b row) int { return strings.Compare(a.fault, b.fault) })
	for _, r := range t.rows {
		line(r.fault, r.injected, r.events, r.lost, r.duplicated, r.altered, r.states, r.policy)
	}
	_ = w.Flush()
	return text.String()
}
