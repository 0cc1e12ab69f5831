// The exported QDQ models against ONNX Runtime: node onnxruntime.mjs NIBBLE RUN_FOLDER COUNT
// Runs COUNT MNIST test images through ONNX Runtime (qdq.onnx) and through Nibble (fq.onnx); decisions agree on at least
// 99.9 %. Exit code 77 (skipped) where ONNX Runtime or MNIST is absent.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstArray, npy } from "./arrays.mjs";

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

const decisions = (scores) =>
  Array.from({ length: count }, (_, i) => {
    const row = scores.slice(i * 10, i * 10 + 10);
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
