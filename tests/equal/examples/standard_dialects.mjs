// Integer networks as qdq and qoperator in ONNX Runtime: node standard_dialects.mjs NIBBLE MNIST_RUN_FOLDER SHARED_DATA [COUNT]
// Fake-quantised networks are made integer by `integerize --requantisation standard`, exported in both forms and run on the
// same examples here (the reference evaluator) and there. Prints the share of equal output integers and of equal decisions;
// decisions agree on at least 98 %. Exit code 77 (skipped) where ONNX Runtime or every network is absent.
// Without VNNI, ONNX Runtime's x86 kernels add pairs of products in 16 bits that saturate: networks of 8-bit weights are
// then run as the graph says, unfused, where that is possible (qdq), and else only reported.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npy } from "./arrays.mjs";

const skip = (why) => { console.log(`skipped: ${why}`); process.exit(77); };
const [nibble, mnistRuns, shared, countText] = process.argv.slice(2);
const count = Number(countText ?? 100);
const home = process.env.NIBBLE_ONNXRUNTIME ?? "";
if (!existsSync(join(home, "node_modules/onnxruntime-node"))) skip("no ONNX Runtime (scripts/fetch_onnxruntime)");
const ort = createRequire(join(home, "x.js"))("onnxruntime-node");
const saturates = process.arch === "x64" && !/vnni/.test(readFileSync("/proc/cpuinfo", "utf8"));
const work = mkdtempSync(join(tmpdir(), "nibble-standard-"));
const run = (...parts) => execFileSync(nibble, parts, { encoding: "utf8" });

// The examples of one network: real ones where their format is plain bytes, else noise of a fixed seed.
function noise(elements) {
  let state = 12345;
  return Float32Array.from({ length: elements }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
const networks = [];
const mnist = join(process.env.NIBBLE_DATA ?? "", "mnist", "t10k-images-idx3-ubyte");
for (const variant of ["w8a8", "w4a8"]) {
  const fq = join(mnistRuns, variant, "fq.onnx");
  if (!existsSync(fq) || !existsSync(mnist)) continue;
  const x = Float32Array.from(readFileSync(mnist).subarray(16, 16 + count * 784), (p) => p * 0.00392156862745098);
  networks.push({ name: `mnist ${variant}`, fq, x, shape: [count, 1, 28, 28], classes: 10 });
}
const cifar = join(shared, "cifar10", "test_batch.bin");
if (existsSync(cifar)) {
  const model = join(shared, "models", "resnet8_cifar10.onnx"), fq = join(work, "resnet8_fq.onnx");
  const plan = JSON.parse(readFileSync(model.replace(".onnx", ".preprocess.json"), "utf8"));
  run("quantize", model, "--data", `cifar10:${join(shared, "cifar10")}:test`, "--samples", "64", "-o", fq, "--preprocess",
      model.replace(".onnx", ".preprocess.json"));
  const bytes = readFileSync(cifar), images = Math.min(count, 100);
  const x = new Float32Array(images * 3072);
  for (let i = 0; i < images; i++)
    for (let k = 0; k < 3072; k++) {
      const c = Math.floor(k / 1024);
      x[i * 3072 + k] = (bytes[i * 3073 + 1 + k] * plan.scale - plan.mean[c]) / plan.std[c];
    }
  networks.push({ name: "resnet8_cifar10", fq, x, shape: [images, 3, 32, 32], classes: 10 });
}
if (existsSync(join(shared, "imagenet", "calibration")) && count >= 100) {
  const model = join(shared, "models", "mobilenet_v1_0.75_224.onnx"), fq = join(work, "mobilenet_fq.onnx");
  run("quantize", model, "--data", `images:${join(shared, "imagenet", "calibration")}`, "--samples", "8", "--real-input", "-o", fq,
      "--preprocess", model.replace(".onnx", ".preprocess.json"));
  const shape = [2, 3, 224, 224];
  networks.push({ name: "mobilenet_v1_0.75_224 (noise)", fq, x: noise(2 * 3 * 224 * 224), shape, classes: null });
}
if (networks.length === 0) skip("no networks: the test examples.mnist writes some, ../shared holds others");

const argmax = (row) => row.reduce((best, y, i) => (y > row[best] ? i : best), 0);
let failed = false;
try {
  for (const { name, fq, x, shape, classes } of networks) {
    const id = join(work, "id.onnx"), input = join(work, "x.npy");
    run("integerize", fq, "--requantisation", "standard", "-o", id);
    writeFileSync(input, npy(x, shape));
    const { values: ours, scale, zero_point } =
        JSON.parse(run("run", id, "--input", input, "--engine", "reference", "--json")).outputs[0];
    const rows = shape[0], width = classes ?? ours.length / rows;
    for (const dialect of ["qoperator", "qdq"]) {
      const file = join(work, `${dialect}.onnx`);
      run("convert", id, "--dialect", dialect, "-o", file);
      const inexact = saturates && !name.includes("w4");
      const judged = !inexact || dialect === "qdq";
      const session = await ort.InferenceSession.create(file, inexact ? { graphOptimizationLevel: "disabled" } : {});
      const result = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", x, shape) });
      const theirs = Array.from(result[session.outputNames[0]].data);
      if (theirs.length !== ours.length) throw new Error(`${theirs.length} outputs, ours ${ours.length}`);
      const pairs = ours.map((y, i) => [y, theirs[i] / scale + zero_point]);
      const equal = pairs.filter(([a, b]) => Math.abs(a - b) < 0.5 + 1e-6 * Math.abs(a)).length;
      const largest = pairs.reduce((most, [a, b]) => Math.max(most, Math.abs(a - b)), 0);
      let agree = 0;
      for (let i = 0; i < rows; i++)
        agree += argmax(ours.slice(i * width, (i + 1) * width)) === argmax(theirs.slice(i * width, (i + 1) * width));
      console.log(`${name}, ${dialect}: ${equal} of ${ours.length} output integers equal, largest difference ` +
                  `${largest.toFixed(1)} of ${Math.max(...ours.map(Math.abs))}; ${agree} of ${rows} decisions agree` +
                  (judged ? "" : " (not judged: a CPU without VNNI)"));
      failed ||= judged && agree < 0.98 * rows;
    }
  }
} finally {
  rmSync(work, { recursive: true });
}
process.exit(failed ? 1 : 0);
