package statestore

import (
	"fmt"
	"strings"
)

// A hiddenError is an error whose text showed a password. Its chain stays, so that
// errors.Is still finds what it is.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// hide keeps a password out of every error.
func (r *Redis) hide(password string) {
	if password != "" {
		r.secrets = append(r.secrets, password)
	}
}

// wrap says what err stopped. A server that does not know AUTH or HELLO quotes their
// arguments in its answer, hence the search for passwords in err.
func (r *Redis) wrap(err error, format string, args ...any) error {
	text := err.Error()
	for _, password := range r.secrets {
		text = strings.ReplaceAll(text, password, "***")
	}
	if text != err.Error() {
		err = &hiddenError{text: text, err: err}
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
