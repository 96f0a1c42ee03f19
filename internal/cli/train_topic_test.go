package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirstream/weir/pipeline"
)

// TestTrainingOnATopicEqualsTrainingOnItsFile trains on the same events from a topic and
// from a file: the model is the same, byte for byte, since a stream's events are in one
// partition and keep their order there.
func TestTrainingOnATopicEqualsTrainingOnItsFile(t *testing.T) {
	r := newRig(t, 2)
	rows := outageEvents(0, 200)
	var lines bytes.Buffer
	batches := make([][]pipeline.Message, r.width)
	for _, row := range rows {
		for i, m := range row {
			lines.Write(append(m.Value, '\n'))
			batches[i%r.width] = append(batches[i%r.width], m)
		}
	}
	batches[1] = append(batches[1], pipeline.Message{Value: []byte("no event")})
	for p, msgs := range batches {
		if err := r.produce(t.Context(), p, msgs); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "history.ndjson")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	train := func(out string, more ...string) (model []byte, told string) {
		var log bytes.Buffer
		args := append([]string{"train", "--steps", "2", "--batch", "4", "--window", "64", "--out", filepath.Join(dir, out)}, more...)
		if code := Main(t.Context(), args, strings.NewReader(""), &log, &log); code != exitOK {
			t.Fatalf("weir %q: exit code %d: %s", args, code, log.String())
		}
		model, err := os.ReadFile(filepath.Join(dir, out, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return model, log.String()
	}
	want, _ := train("from-file", file)
	got, told := train("from-topic", r.settings()...)
	if !bytes.Equal(got, want) {
		t.Error("the model trained on the topic differs from that trained on the file")
	}
	if !strings.Contains(told, "not_json") {
		t.Errorf("the record that is no event is not reported: %s", told)
	}
}
