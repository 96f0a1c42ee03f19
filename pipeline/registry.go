package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Registry reads schemas from a schema registry with Confluent's HTTP interface. It may
// be used from any goroutine.
type Registry struct {
	base           *url.URL
	user, password string
	client         *http.Client
}

const (
	registryTimeout  = 10 * time.Second
	maxSchemaBytes   = 4 << 20
	maxReferences    = 256
	schemaMediaTypes = "application/vnd.schemaregistry.v1+json, application/json"
)

// NewRegistry returns a client of the registry at a URL, logging in with a name and a
// password unless the name is empty.
func NewRegistry(base, user, password string) (*Registry, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("schema registry %q: write http://host:port or https://host:port", base)
	}
	return &Registry{base: u, user: user, password: password, client: &http.Client{Timeout: registryTimeout}}, nil
}

// schemaAnswer is what the registry says of a schema.
type schemaAnswer struct {
	Schema     string            `json:"schema"`
	References []schemaReference `json:"references"`
}

type schemaReference struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// errNoSchema says that the registry answers, and has no such schema.
var errNoSchema = errors.New("no such schema")

// Schema returns a schema's text behind those that it refers to, by id ("42") or GUID; none
// where the registry does not have it. Any other failure is an error, and passes.
func (r *Registry) Schema(ctx context.Context, name string) (texts []string, err error) {
	kind := "ids"
	if strings.Contains(name, "-") {
		kind = "guids"
	}
	answer, err := r.get(ctx, "schemas", kind, name)
	if err == nil {
		left := maxReferences
		texts, err = r.withReferences(ctx, answer, nil, &left)
	}
	if errors.Is(err, errNoSchema) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("schema %s of registry %s: %w", name, r.base.Redacted(), err)
	}
	return texts, nil
}

// withReferences appends what the answer refers to, and then its own text. No more than
// left references are followed: they might go in a circle.
func (r *Registry) withReferences(ctx context.Context, a schemaAnswer, texts []string, left *int) ([]string, error) {
	for _, ref := range a.References {
		if *left--; *left < 0 {
			return nil, fmt.Errorf("it refers to more than %d others", maxReferences)
		}
		next, err := r.get(ctx, "subjects", ref.Subject, "versions", strconv.Itoa(ref.Version))
		if err != nil {
			return nil, err
		}
		if texts, err = r.withReferences(ctx, next, texts, left); err != nil {
			return nil, err
		}
	}
	if slices.Contains(texts, a.Schema) {
		return texts, nil
	}
	return append(texts, a.Schema), nil
}

func (r *Registry) get(ctx context.Context, path ...string) (a schemaAnswer, err error) {
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(path...).String(), nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Accept", schemaMediaTypes)
	if r.user != "" {
		req.SetBasicAuth(r.user, r.password)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return a, errNoSchema
	case resp.StatusCode != http.StatusOK:
		return a, fmt.Errorf("it answers %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSchemaBytes+1))
	if err != nil {
		return a, err
	}
	if len(body) > maxSchemaBytes {
		return a, fmt.Errorf("its answer has more than %d bytes", maxSchemaBytes)
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("its answer is no JSON: %w", err)
	}
	return a, nil
}
