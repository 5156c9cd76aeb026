// Package audioparity writes stages as a safetensors file that pytest-audioparity reads, and reads the inputs that it
// hands over.
//
//	inputs, err := audioparity.ReadInputs(os.Getenv("AUDIOPARITY_INPUTS"))
//	noise := inputs["noise"].Floats()
//	mel := audioparity.Stage{Name: "mel", Shape: []int{1, 80, 412}, Data: values, Kind: "log_spectrum", Axes: "BCT"}
//	err = audioparity.WriteDump(os.Getenv("AUDIOPARITY_DUMP"), []audioparity.Stage{mel})
//
// Nothing but the standard library. Copy it into your project as you like.
package audioparity

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// Stage is one named tensor in C order. Data is a []float32 or []int64; Kind and Axes may be empty.
type Stage struct {
	Name, Kind, Axes string
	Shape            []int
	Data             any
}

type entry struct {
	Name string `json:"name"`
	Kind string `json:"kind,omitempty"`
	Axes string `json:"axes,omitempty"`
}

type tensor struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// Input is a tensor as its bytes, little-endian and in C order.
type Input struct {
	DType string
	Shape []int
	Bytes []byte
}

// WriteDump writes stages in their order, which is the data flow.
func WriteDump(path string, stages []Stage) error {
	header, described, body := map[string]any{}, []entry{}, bytes.Buffer{}
	for _, stage := range stages {
		dtype, count, start := "", 0, body.Len()
		switch data := stage.Data.(type) {
		case []float32:
			dtype, count = "F32", len(data)
		case []int64:
			dtype, count = "I64", len(data)
		}
		size := 1
		for _, n := range stage.Shape {
			size *= n
		}
		if _, twice := header[stage.Name]; twice || dtype == "" || size != count {
			return fmt.Errorf("stage %q: its name comes twice, or %T is not []float32 or []int64 of shape %v", stage.Name, stage.Data, stage.Shape)
		}
		if err := binary.Write(&body, binary.LittleEndian, stage.Data); err != nil {
			return err
		}
		// A nil slice would be null in JSON, and a scalar's shape is [].
		header[stage.Name] = tensor{dtype, append([]int{}, stage.Shape...), [2]int{start, body.Len()}}
		described = append(described, entry{stage.Name, stage.Kind, stage.Axes})
	}
	document, err := json.Marshal(map[string]any{"format": 1, "stages": described})
	if err != nil {
		return err
	}
	header["__metadata__"] = map[string]string{"audioparity": string(document)}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), (8-len(text)%8)%8)...)
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return os.WriteFile(path, append(append(file, text...), body.Bytes()...), 0o644)
}

// ReadInputs reads every tensor of a safetensors file by name.
func ReadInputs(path string) (map[string]Input, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(file) < 8 {
		return nil, fmt.Errorf("%s is no safetensors file", path)
	}
	start := 8 + int(binary.LittleEndian.Uint64(file))
	header := map[string]tensor{}
	if err := json.Unmarshal(file[8:start], &header); err != nil {
		return nil, err
	}
	delete(header, "__metadata__")
	inputs := map[string]Input{}
	for name, held := range header {
		inputs[name] = Input{held.DType, held.Shape, file[start+held.Offsets[0] : start+held.Offsets[1]]}
	}
	return inputs, nil
}

// Floats returns the values of an F32 input.
func (input Input) Floats() []float32 {
	values := make([]float32, len(input.Bytes)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(input.Bytes[4*i:]))
	}
	return values
}
