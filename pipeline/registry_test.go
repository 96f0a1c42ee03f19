package pipeline

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// registryOf serves answers by path; any other path is not found.
func registryOf(t *testing.T, answers map[string]string) *Registry {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer, ok := answers[r.URL.EscapedPath()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	registry, err := NewRegistry(server.URL+"/base", "reader", "secret")
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestRegistryGivesSchemasBehindWhatTheyReferTo(t *testing.T) {
	r := registryOf(t, map[string]string{
		"/base/schemas/ids/42":            `{"schema":"outer","references":[{"name":"a","subject":"a/b","version":2},{"name":"c","subject":"c","version":1}]}`,
		"/base/schemas/guids/1-2-3":       `{"schema":"alone"}`,
		"/base/subjects/a%2Fb/versions/2": `{"schema":"a","references":[{"name":"c","subject":"c","version":1}]}`,
		"/base/subjects/c/versions/1":     `{"schema":"c"}`,
		"/base/schemas/ids/5":             `no json`,
		"/base/schemas/ids/6":             `{"schema":"` + strings.Repeat("x", maxSchemaBytes) + `"}`,
		"/base/schemas/ids/7":             `{"schema":"loop","references":[{"subject":"loop","version":1}]}`,
		"/base/subjects/loop/versions/1":  `{"schema":"loop"}`,
	})
	for name, want := range map[string][]string{"42": {"c", "a", "outer"}, "1-2-3": {"alone"}, "43": nil, "7": {"loop"}} {
		texts, err := r.Schema(t.Context(), name)
		if diff := cmp.Diff(want, texts); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, name := range []string{"5", "6"} {
		if texts, err := r.Schema(t.Context(), name); err == nil {
			t.Errorf("%s: %.40q", name, texts)
		}
	}
	r.password = "wrong"
	if _, err := r.Schema(t.Context(), "42"); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestSchemasThatReferInACircleAreAnError(t *testing.T) {
	r := registryOf(t, map[string]string{
		"/base/schemas/ids/1":         `{"schema":"a","references":[{"subject":"a","version":1}]}`,
		"/base/subjects/a/versions/1": `{"schema":"a","references":[{"subject":"a","version":1}]}`,
	})
	if texts, err := r.Schema(t.Context(), "1"); err == nil {
		t.Errorf("%q", texts)
	}
}

func TestRegistryMustBeAURL(t *testing.T) {
	for _, bad := range []string{"", "registry:8081", "ftp://registry", "http://", "http://a b"} {
		if _, err := NewRegistry(bad, "", ""); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// A registry that is away for a while costs time, and no record: what it does not have is a
// dead letter.
func TestARegistryThatIsAwayIsWaitedFor(t *testing.T) {
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case tries.Add(1) <= 2:
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasSuffix(r.URL.Path, "/ids/1"):
			_, _ = fmt.Fprint(w, `{"schema":"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"value\",\"type\":\"int\"}]}"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	registry, err := NewRegistry(server.URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := encoding.NewDecoder(encoding.Options{Encoding: "avro", JSON: encoding.DefaultJSONNames(), InfluxPrecision: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	log := texts(0, "\x00\x00\x00\x00\x01\x02", "\x00\x00\x00\x00\x02\x02", "\x00\x00\x00\x00\x01\x04", "\x00\x00\x00\x00\x02\x02")
	for i := range log {
		log[i].Key = []byte("s")
	}
	scores, letters := &sliceSink{}, &sliceSink{}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: log}, scores, letters)
	w.Decoder, w.Registry = decoder, registry
	if err := w.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(scores.log) != 2 || len(letters.log) != 2 {
		t.Fatalf("%d scores, %d dead letters", len(scores.log), len(letters.log))
	}
	if reason, _ := DeadLetterReason(letters.log[0].Headers); reason != encoding.ReasonUnknownSchema {
		t.Error(reason)
	}
	if n := tries.Load(); n != 4 {
		t.Errorf("%d requests, want two failures and one for each schema", n)
	}
}
