// Command export turns telemetry into what a model is trained on.
//
//	go run ./training/export -data DIR -out FILE
//
// DIR holds the folders asd, nab, nezha and smd as published. FILE is a
// safetensors file of two tensors: rows (events, operator.RowSize), the rows of
// operator.FeatureRows one stream after the other, and segments (streams, 4): a
// stream's first row, its number of rows, its source and 1 where it is kept for
// validation. The same input gives the same bytes.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/weirstream/weir/operator"
)

// The sources, as numbered in segments.
const (
	sourceNezha = iota
	sourceASD
	sourceNAB
	sourceSMD
	sourceSynthetic
)

// A series is one stream as it was recorded or made.
type series struct {
	name   string
	source int
	times  []int64 // Unix milliseconds, ascending
	values []float64
}

// heldOut names the machines of the bundled sample, which no training may see.
var heldOut = []string{"machine-1-2", "machine-1-6", "machine-1-8"}

// validation names the parts that only measure the training's progress.
var validation = []string{"machine-1-7", "omi-12", "adservice", "ts-train-service", "Twitter_volume_PFE", "TravelTime", "synthetic/0", "rds_cpu"}

// validates reports whether the series is kept from training.
func (s *series) validates() bool {
	if s.source == sourceSynthetic {
		return slices.Contains(validation, s.name)
	}
	return slices.ContainsFunc(validation, func(part string) bool { return strings.Contains(s.name, part) })
}

func main() {
	log.SetFlags(0)
	data := flag.String("data", "", "folder with asd, nab, nezha and smd")
	out := flag.String("out", "", "file to write")
	synthetic := flag.Int("synthetic", 12000, "number of synthetic streams")
	seed := flag.Uint64("seed", 1, "seed of the synthetic streams and the cuts")
	flag.Parse()
	if err := run(*data, *out, *synthetic, *seed); err != nil {
		log.Fatal(err)
	}
}

func run(data, out string, synthetic int, seed uint64) error {
	all, err := recorded(data)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	all = append(all, cuts(all, r)...)
	for i := range synthetic {
		all = append(all, synthesize(fmt.Sprintf("synthetic/%d", i%20), r))
	}
	rows := featureRows(all)
	return write(out, all, rows)
}

// cuts returns stretches of the recorded series from random starts, some of them
// thinned, so that training sees young streams, other cadences and irregular gaps.
func cuts(all []series, r *rand.Rand) []series {
	var cut []series
	for _, s := range all {
		for range len(s.values)/3000 + 1 {
			keep, stride := 1.0, 1
			switch r.IntN(4) {
			case 0:
				keep = 0.3 + 0.65*r.Float64()
			case 1:
				stride = 2 + r.IntN(9)
			}
			c := series{name: s.name, source: s.source}
			for i := r.IntN(len(s.values)/2 + 1); i < len(s.values) && len(c.values) < 1500; i += stride {
				if r.Float64() < keep {
					c.times = append(c.times, s.times[i])
					c.values = append(c.values, s.values[i])
				}
			}
			if len(c.values) > 64 {
				cut = append(cut, c)
			}
		}
	}
	return cut
}

// featureRows computes every series' rows, on all cores.
func featureRows(all []series) [][]float32 {
	rows := make([][]float32, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				rows[i] = operator.FeatureRows(nil, all[i].times, all[i].values)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	return rows
}

// write stores the rows and their segments as a safetensors file.
func write(path string, all []series, rows [][]float32) error {
	type tensor struct {
		Type    string    `json:"dtype"`
		Shape   [2]uint64 `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	total := uint64(0)
	segments := make([]byte, 0, 32*len(all))
	for i, s := range all {
		count := uint64(len(rows[i]) / operator.RowSize)
		kept := uint64(0)
		if s.validates() {
			kept = 1
		}
		for _, v := range []uint64{total, count, uint64(s.source), kept} {
			segments = binary.LittleEndian.AppendUint64(segments, v)
		}
		total += count
	}
	size := uint64(len(segments))
	header, err := json.Marshal(map[string]tensor{
		"segments": {"I64", [2]uint64{uint64(len(all)), 4}, [2]uint64{0, size}},
		"rows":     {"F32", [2]uint64{total, operator.RowSize}, [2]uint64{size, size + 4*total*operator.RowSize}},
	})
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) // errors stick to w until Flush
	w.Write(header)
	w.Write(segments)
	var word [4]byte
	for _, part := range rows {
		for _, v := range part {
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
			w.Write(word[:])
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	log.Printf("%d streams, %d rows", len(all), total)
	return f.Close()
}
