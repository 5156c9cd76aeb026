package main

import (
	"log"
	"math"
	"os"

	"example/audioparity"
)

// See test_writers.py.
func main() {
	type stage = audioparity.Stage
	path := os.Getenv("AUDIOPARITY_DUMP")
	var stages []stage
	if len(os.Args) > 1 {
		edges := []float32{}
		for _, bits := range []uint32{0, 0x80000000, 0x3eaaaaab, 1, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc01234} {
			edges = append(edges, math.Float32frombits(bits))
		}
		stages = []stage{
			{Name: "z/single", Data: []float32{0.5}},
			{Name: "a codes", Shape: []int{3}, Data: []int64{math.MinInt64, -1, math.MaxInt64}, Kind: "codes", Axes: "T"},
			{Name: "quote \" back \\ é/日", Shape: []int{2, 4}, Data: edges, Kind: "log_spectrum", Axes: "CT"},
			{Name: "empty", Shape: []int{0, 3}, Data: []float32{}, Axes: "TC"},
		}
	} else {
		inputs, err := audioparity.ReadInputs(os.Getenv("AUDIOPARITY_INPUTS"))
		if err != nil {
			log.Fatal(err)
		}
		noise := inputs["the \\ noise"]
		mel := noise.Floats()
		for i := range mel {
			mel[i] *= 2
		}
		stages = []stage{{Name: "mel", Shape: noise.Shape, Data: mel, Axes: "T"}}
		if audioparity.WriteDump(path, []stage{{Name: "x", Shape: []int{1}, Data: mel}}) == nil {
			log.Fatal("a shape that does not fit was taken")
		}
		if audioparity.WriteDump(path, append(stages, stages...)) == nil {
			log.Fatal("a name that comes twice was taken")
		}
	}
	if err := audioparity.WriteDump(path, stages); err != nil {
		log.Fatal(err)
	}
}
