import assert from "node:assert";
import { readInputs, writeDump } from "./dump.mjs";

// See test_writers.py.
const path = process.env.AUDIOPARITY_DUMP;
if (process.argv.length > 2) {
  const bits = new Uint32Array([0, 0x80000000, 0x3eaaaaab, 1, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc01234]);
  const edges = new Float32Array(bits.buffer);
  writeDump(path, [
    { name: "z/single", shape: [], data: new Float32Array([0.5]) },
    { name: "a codes", shape: [3], data: new BigInt64Array([-(2n ** 63n), -1n, 2n ** 63n - 1n]), kind: "codes", axes: "T" },
    { name: 'quote " back \\ é/日', shape: [2, 4], data: edges, kind: "log_spectrum", axes: "CT" },
    { name: "empty", shape: [0, 3], data: new Float32Array(0), axes: "TC" },
  ]);
} else {
  const inputs = readInputs(process.env.AUDIOPARITY_INPUTS);
  assert(!("absent" in inputs));
  const noise = inputs["the \\ noise"];
  const mel = noise.data.map((value) => 2 * value);
  const stage = { name: "mel", shape: noise.shape, data: mel, axes: "T" };
  assert.throws(() => writeDump(path, [{ ...stage, shape: [1] }]), RangeError);
  assert.throws(() => writeDump(path, [stage, stage]), /twice/);
  writeDump(path, [stage]);
}
