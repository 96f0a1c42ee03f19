package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ErrInvalid is matched by every error about the configuration itself, as opposed to one
// about reading it.
var ErrInvalid = errors.New("invalid configuration")

// A Fault is one thing wrong with a configuration.
type Fault struct {
	// Path is the setting, such as "state.redis.url"; empty for a fault of the whole file.
	Path string
	// Origin is where the value came from: a file, an environment variable or "--set";
	// empty for a Config that was not loaded.
	Origin string
	// Line is the line in the file, from 1; 0 where there is none.
	Line int
	// Problem says what is wrong and what to do.
	Problem string
	// Snippet is the faulty line of the file with a mark below, secrets masked; else empty.
	Snippet string
}

// Error returns "origin:line: path: problem", and the snippet on lines of its own.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Origin != "" {
		b.WriteString(f.Origin)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Problem)
	b.WriteString(f.Snippet)
	return b.String()
}

// Is makes every Fault match ErrInvalid.
func (f *Fault) Is(target error) bool { return target == ErrInvalid }

// joinFaults returns the faults as one error: those with a line first, in the file's order.
func joinFaults(faults []*Fault) error {
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Line, b.Line)
	})
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

const maxSnippetWidth = 120 // bytes of a line to show

// snippet shows line number line with a mark below column, both from 1.
func snippet(lines []string, line, column int) string {
	if line < 1 || line > len(lines) {
		return ""
	}
	text := maskLine(lines, line-1)
	if len(text) > maxSnippetWidth {
		text = strings.ToValidUTF8(text[:maxSnippetWidth], "") + "…"
	}
	out := fmt.Sprintf("\n  %4d | %s", line, text)
	if column >= 1 && column <= len(text) {
		out += fmt.Sprintf("\n       | %s^", strings.Repeat(" ", column-1))
	}
	return out
}

var (
	keyForm       = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)(["']\s*:|\s*:(?:\s|$))`)
	referenceOnly = regexp.MustCompile(`^["']?\$\{env:[A-Za-z0-9_]+\}["']?[\s}]*$`)
)

// maskLine returns lines[i] without anything that may be a secret: what follows a key that
// is, or by a slip of the hand is nearly, one of a secret. A line without a key continues
// the value of the last key above.
func maskLine(lines []string, i int) string {
	text := strings.TrimRight(strings.ReplaceAll(lines[i], "\t", " "), "\r ")
	keys := keyForm.FindAllStringSubmatchIndex(text, -1)
	for _, k := range keys {
		value := text[k[1]:]
		if secretName(text[k[2]:k[3]]) && strings.TrimSpace(value) != "" && !referenceOnly.MatchString(value) {
			return text[:k[1]] + masked
		}
	}
	if len(keys) > 0 {
		return text
	}
	for above := i - 1; above >= 0; above-- {
		keys := keyForm.FindAllStringSubmatch(lines[above], -1)
		if len(keys) == 0 {
			continue
		}
		if secretName(keys[len(keys)-1][1]) {
			return masked
		}
		break
	}
	return text
}

// secretName reports whether a key's value could be a secret: one edit in three letters
// away from the name of one counts.
func secretName(key string) bool {
	key = strings.ToLower(key)
	if strings.HasSuffix(key, "_file") {
		return false
	}
	for _, part := range []string{"pass", "secret", "token", "url"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return distance(key, "password") <= 4 || distance(key, "url") <= 1
}
