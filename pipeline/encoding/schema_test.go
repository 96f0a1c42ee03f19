package encoding

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/avro"

	"github.com/weirstream/weir/operator"
)

const schemas = "../../docs/schemas/"

// scores are outputs of every form.
func scores() map[string][]byte {
	late := plainPrediction()
	late.Phase, late.GapSeconds, late.Index = operator.Late, -60, 17
	all := map[string][]byte{}
	for name, p := range map[string]*operator.Prediction{"plain": plainPrediction(), "named": namedPrediction(), "late": late} {
		all[name] = AppendJSON(nil, p, AppendID(nil, "events", 3, &p.Event), "telemetry-s@ab12cd34")
	}
	return all
}

func TestScoresAreOfThePublishedJSONSchema(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemas + "score.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, score := range scores() {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(score))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for member := range value.(map[string]any) {
			less := map[string]any{}
			for k, v := range value.(map[string]any) {
				if k != member {
					less[k] = v
				}
			}
			if schema.Validate(less) == nil {
				t.Errorf("%s without %q is valid too", name, member)
			}
		}
	}
}

func TestScoresAreOfThePublishedAvroSchema(t *testing.T) {
	text, err := os.ReadFile(schemas + "score.avsc")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := avro.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, score := range scores() {
		var want, got any
		if err := json.Unmarshal(score, &want); err != nil {
			t.Fatal(err)
		}
		binary, err := schema.Encode(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := schema.Decode(binary, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back := got.(map[string]any)
		for member, v := range back {
			if v == nil {
				delete(back, member)
			}
		}
		again, err := json.Marshal(back)
		if err != nil {
			t.Fatal(err)
		}
		var gotJSON any
		if err := json.Unmarshal(again, &gotJSON); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, gotJSON); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
