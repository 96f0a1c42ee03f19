package main

import (
	"encoding/json"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/weirstream/weir/operator"
)

// writePrior measures how surprising a trained model finds the recorded series
// kept for validation and stores the mean over them as the prior in its
// config.json: what a stream too young for a past of its own is measured against.
func writePrior(data, dir string) error {
	model, err := operator.LoadModel(os.DirFS(dir), filepath.Base(dir))
	if err != nil {
		return err
	}
	all, err := recorded(data)
	if err != nil {
		return err
	}
	var prior []float64
	streams := 0
	for _, s := range all {
		if !s.validates() || !changes(s.values) {
			continue
		}
		weights, err := model.PriorWeights(s.times, s.values)
		if err != nil {
			return err
		}
		if prior == nil {
			prior = make([]float64, len(weights))
		}
		for i, w := range weights {
			prior[i] += w
		}
		streams++
	}
	for i := range prior {
		prior[i] = math.Round(prior[i]/float64(streams)*1e9) / 1e9
	}
	log.Printf("prior of %d streams", streams)
	return addToConfig(filepath.Join(dir, "config.json"), prior)
}

// changes reports whether at least one value in a hundred differs from the one before.
func changes(values []float64) bool {
	n := 0
	for i := 1; i < len(values); i++ {
		if values[i] != values[i-1] {
			n++
		}
	}
	return n > len(values)/100
}

// addToConfig sets weir.prior in a model's config.json.
func addToConfig(path string, prior []float64) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	config["weir"].(map[string]any)["prior"] = prior // LoadModel has seen the object
	if text, err = json.MarshalIndent(config, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
