package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
)

const (
	masked = "***"
	// maxSecretBytes is far above any password or URL: a larger file is the wrong file.
	maxSecretBytes = 64 << 10
)

// Secret is a string that prints as "***", whichever way it is printed. Convert it to
// string where it is used.
type Secret string

// String returns "***", or "" where there is no secret to hide.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText is String, for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SecretURL is a URL that prints with its password masked. Convert it to string where it
// is used.
type SecretURL string

// String returns the URL without its password, including one in the query, such as
// sentinel_password. What is no URL is masked whole.
func (s SecretURL) String() string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(string(s))
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return masked
	}
	hide := ""
	if _, ok := u.User.Password(); ok {
		hide = u.User.Username() + ":" + masked + "@"
	} else if u.User != nil {
		hide = u.User.Username() + "@"
	}
	query := make([]string, 0, strings.Count(u.RawQuery, "&")+1)
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, ok := strings.Cut(pair, "="); ok && strings.Contains(strings.ToLower(name), "pass") {
			pair = name + "=" + masked
		}
		query = append(query, pair)
	}
	out := u.Scheme + "://" + hide + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		out += "?" + strings.Join(query, "&")
	}
	return out
}

// GoString is String, for %#v.
func (s SecretURL) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText is String, for encoders.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for slog.
func (s SecretURL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// readSecrets sets every setting that has a sibling NAME_file from that file.
func (l *loader) readSecrets() {
	for _, path := range l.settings.paths {
		filePath := path + "_file"
		if !l.settings.secret(path) || l.settings.text(filePath) == "" {
			continue
		}
		if _, given := l.origins[path]; given && l.settings.text(path) != "" {
			l.fault(filePath, fmt.Sprintf("%s and %s are both set; keep one", path, filePath))
			continue
		}
		secret, err := readSecret(l.settings.text(filePath))
		if err != nil {
			l.fault(filePath, err.Error())
			l.blamed[path] = true
			continue
		}
		l.settings.leaves[path].SetString(secret)
		l.origins[path] = l.origins[filePath]
	}
}

// readSecret returns a file's content without its final line break.
func readSecret(name string) (string, error) {
	data, err := readAtMost(name, maxSecretBytes)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("file %q does not exist", name)
	}
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("file %q is empty", name)
	}
	return secret, nil
}
