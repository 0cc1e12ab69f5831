// The exported QDQ models against ONNX Runtime: node onnxruntime.mjs NIBBLE RUN_FOLDER COUNT
// Runs COUNT MNIST test images through ONNX Runtime (qdq.onnx) and through Nibble (fq.onnx); decisions agree on at least
// 99.9 %. Exit code 77 (skipped) where ONNX Runtime or MNIST is absent.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";

const skip = (why) => { console.log(`skipped: ${why}`); process.exit(77); };
const [nibble, folder, countText] = process.argv.slice(2);
const count = Number(countText);
const mnist = join(process.env.NIBBLE_DATA ?? "", "mnist", "t10k-images-idx3-ubyte");
if (!existsSync(mnist)) skip("NIBBLE_DATA holds no MNIST (scripts/fetch_mnist)");
if (!existsSync(folder)) skip(`no models in ${folder} (the test examples.mnist writes them)`);
const home = process.env.NIBBLE_ONNXRUNTIME ?? "";
if (!existsSync(join(home, "node_modules/onnxruntime-node"))) skip("no ONNX Runtime (scripts/fetch_onnxruntime)");
const ort = createRequire(join(home, "x.js"))("onnxruntime-node");

const pixels = readFileSync(mnist).subarray(16, 16 + count * 784);
const x = Float32Array.from(pixels, (p) => p * 0.00392156862745098);

function npy(data, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), Buffer.from(data.buffer)]);
}

// The first array of an npz, as float32.
function firstArray(file) {
  const zip = readFileSync(file);
  const end = zip.lastIndexOf("PK\x05\x06", undefined, "latin1");
  const entry = zip.readUInt32LE(end + 16);
  const size = zip.readUInt32LE(entry + 20);
  const local = zip.readUInt32LE(entry + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const raw = zip.subarray(start, start + size);
  const bytes = zip.readUInt16LE(entry + 10) === 8 ? inflateRawSync(raw) : raw;
  const header = bytes.readUInt16LE(8);
  const text = bytes.toString("latin1", 10, 10 + header);
  const data = new Uint8Array(bytes.subarray(10 + header)).buffer;
  if (text.includes("<f4")) return new Float32Array(data);
  if (text.includes("<f8")) return new Float64Array(data);
  throw new Error(`unexpected array ${text}`);
}

const decisions = (scores) =>
  Array.from({ length: count }, (_, i) => {
    const row = scores.subarray(i * 10, i * 10 + 10);
    return row.indexOf(Math.max(...row));
  });

const work = mkdtempSync(join(tmpdir(), "nibble-ort-"));
let failed = false;
try {
  writeFileSync(join(work, "x.npy"), npy(x, [count, 1, 28, 28]));
  for (const variant of ["w8a8", "w4a8"]) {
    const session = await ort.InferenceSession.create(join(folder, variant, "qdq.onnx"));
    const feed = { [session.inputNames[0]]: new ort.Tensor("float32", x, [count, 1, 28, 28]) };
    const theirs = (await session.run(feed))[session.outputNames[0]].data;
    execFileSync(nibble, ["run", join(folder, variant, "fq.onnx"), "--input", join(work, "x.npy"), "--engine", "torch", "--output",
                          join(work, "y.npz")]);
    const ours = firstArray(join(work, "y.npz"));
    if (ours.length !== theirs.length) throw new Error(`${ours.length} outputs, ONNX Runtime ${theirs.length}`);
    const [a, b] = [decisions(ours), decisions(theirs)];
    const agree = a.filter((d, i) => d === b[i]).length;
    const largest = ours.reduce((most, y, i) => Math.max(most, Math.abs(y - theirs[i])), 0);
    console.log(`${variant}: ${agree} of ${count} decisions agree, largest difference of an output ${largest}`);
    failed ||= agree < 0.999 * count;
  }
} finally {
  rmSync(work, { recursive: true });
}
process.exit(failed ? 1 : 0);
