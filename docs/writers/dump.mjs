// Writes stages as a safetensors file that pytest-audioparity reads, and reads the inputs that it hands over.
//
//     import { readInputs, writeDump } from "./dump.mjs";
//     const { noise } = readInputs(process.env.AUDIOPARITY_INPUTS);
//     const mel = { name: "mel", shape: [1, 80, 412], data: new Float32Array(32960), kind: "log_spectrum", axes: "BCT" };
//     writeDump(process.env.AUDIOPARITY_DUMP, [mel]);
//
// Node 16 or newer, nothing but its standard library, little-endian machines. Copy it into your project as you like.

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

const TYPES = {
  F64: Float64Array, F32: Float32Array, I64: BigInt64Array, I32: Int32Array, I16: Int16Array, I8: Int8Array,
  U64: BigUint64Array, U32: Uint32Array, U16: Uint16Array, U8: Uint8Array,
};

/** Write stages in their order, which is the data flow: { name, shape, data: a typed array in C order, kind?, axes? }. */
export function writeDump(path, stages) {
  const header = new Map();
  let position = 0;
  for (const { name, shape, data } of stages) {
    const dtype = Object.keys(TYPES).find((key) => data instanceof TYPES[key]);
    if (!dtype) throw new TypeError(`${name}: not a typed array`);
    if (header.has(name)) throw new Error(`${name} comes twice`);
    if (shape.reduce((a, b) => a * b, 1) !== data.length) throw new RangeError(`${name} has ${data.length} values of shape [${shape}]`);
    header.set(name, { dtype, shape, data_offsets: [position, (position += data.byteLength)] });
  }
  const described = stages.map(({ name, kind, axes }) => ({ name, kind, axes })); // JSON leaves out what is undefined
  const metadata = { audioparity: JSON.stringify({ format: 1, stages: described }) };
  const entries = [["__metadata__", metadata], ...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  let text = Buffer.from(`{${entries.join(",")}}`);
  text = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  try {
    for (const part of [length, text, ...stages.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))]) {
      for (let done = 0; done < part.length; ) done += writeSync(file, part, done);
    }
  } finally {
    closeSync(file);
  }
}

/** Read every tensor of a safetensors file: an object of { shape, data } by name. */
export function readInputs(path) {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(file.subarray(8, start).toString());
  const read = ({ dtype, shape, data_offsets: [from, to] }) => {
    if (!TYPES[dtype]) throw new TypeError(`${dtype} has no typed array`);
    return { shape, data: new TYPES[dtype](new Uint8Array(file.subarray(start + from, start + to)).buffer) };
  };
  return Object.fromEntries(Object.entries(header).map(([name, tensor]) => [name, read(tensor)]));
}
