// NumPy's files, as far as the tests with ONNX Runtime need them.
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

// float32 numbers as npy.
export function npy(data, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), Buffer.from(data.buffer)]);
}

// The first array of an npz, as numbers.
export function firstArray(file) {
  const zip = readFileSync(file);
  const entry = zip.readUInt32LE(zip.lastIndexOf("PK\x05\x06", undefined, "latin1") + 16);
  const size = zip.readUInt32LE(entry + 20), local = zip.readUInt32LE(entry + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const raw = zip.subarray(start, start + size);
  const bytes = zip.readUInt16LE(entry + 10) === 8 ? inflateRawSync(raw) : raw;
  return numbersOf(bytes);
}

// An npy file's numbers.
export function numbersOf(bytes) {
  const header = bytes.readUInt16LE(8), text = bytes.toString("latin1", 10, 10 + header);
  const data = new Uint8Array(bytes.subarray(10 + header)).buffer;
  const types = { "<i8": BigInt64Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array, "|u1": Uint8Array, "|i1": Int8Array };
  const type = Object.keys(types).find((each) => text.includes(`'${each}'`));
  if (!type) throw new Error(`unexpected array ${text}`);
  return Array.from(new types[type](data), Number);
}
