// How far a QDQ file strays that another tool runs in floats: node qdq_stray.mjs NIBBLE SHARED_DATA [NAME...]
// Claim: the table of docs/guide/integer.md. Each network is quantised with the defaults (64 examples) and made
// integer; ONNX Runtime runs the fake-quantised one as qdq, its optimisations off, so that every op is a float's, and
// gives the levels of every quantiser. They are compared with the integer network's on the same examples.
// Needs ONNX Runtime: NIBBLE_ONNXRUNTIME=$(scripts/fetch_onnxruntime).
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstArray, npy, numbersOf } from "../tests/equal/examples/arrays.mjs";

const [nibble, shared, ...wanted] = process.argv.slice(2);
const ort = createRequire(join(process.env.NIBBLE_ONNXRUNTIME ?? "", "x.js"))("onnxruntime-node");
const work = mkdtempSync(join(tmpdir(), "nibble-stray-"));
const run = (...parts) => execFileSync(nibble, [...parts, "--quiet"], { encoding: "utf8", maxBuffer: 1 << 28 });

// name: calibration data; other data; shape of an example; how many
const networks = {
  lenet_cifar10: ["cifar10:cifar10:train", "cifar10", [3, 32, 32], 64],
  resnet8_cifar10: ["cifar10:cifar10:train", "cifar10", [3, 32, 32], 64],
  mlperf_tiny_ic_resnet8: ["cifar10:cifar10:train", "cifar10", [3, 32, 32], 64],
  mlperf_tiny_kws_dscnn: ["npz:kws/kws.npz", "kws", [1, 49, 10], 64],
  "3ddfa_mb05_120x120": ["images:faces/calibration", "faces/test", [3, 120, 120], 16],
  "mobilenet_v1_0.75_224": ["images:imagenet/calibration", "imagenet/validation", [3, 224, 224], 8],
  "mobilenet_v2_1.0_224": ["images:imagenet/calibration", "imagenet/validation", [3, 224, 224], 8],
};

// The first examples of a network as float32 numbers.
function examples(name, data, elements, count) {
  const model = join(shared, "models", `${name}.onnx`);
  if (data === "kws") return firstArray(join(shared, "kws", "kws.npz")).slice(0, count * elements);
  if (data !== "cifar10") {
    const files = readdirSync(join(shared, data)).filter((file) => file.endsWith(".jpg")).slice(0, count);
    return files.flatMap((file) => {
      // A quantised network would keep its input's levels.
      run("run", model, "--input", join(shared, data, file), "--engine", "torch", "--trace", join(work, "x"));
      return numbersOf(readFileSync(join(work, "x", "input.npy")));
    });
  }
  const plan = JSON.parse(readFileSync(model.replace(".onnx", ".preprocess.json"), "utf8"));
  const bytes = readFileSync(join(shared, "cifar10", "test_batch.bin"));
  return Array.from({ length: count * elements }, (_, i) => {
    const image = Math.floor(i / elements), k = i % elements, c = Math.floor(k / 1024);
    return (bytes[image * (elements + 1) + 1 + k] * plan.scale - plan.mean[c]) / plan.std[c];
  });
}

// Protobuf: graph outputs (field 12 of the graph, field 7 of the model) by name alone, merged with those that are
// there.
function withOutputs(file, names) {
  const field = (number, bytes) => {
    const length = [];
    for (let rest = bytes.length; ; rest >>= 7) {
      length.push(rest >= 128 ? (rest & 127) | 128 : rest);
      if (rest < 128) break;
    }
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
  };
  const outputs = names.map((name) => field(12, field(1, Buffer.from(name))));
  appendFileSync(file, field(7, Buffer.concat(outputs)));
}

const tally = () => ({ count: 0, differing: 0, largest: 0 });
function add(to, ours, theirs) {
  if (ours.length !== theirs.length) throw new Error(`${theirs.length} levels, ours ${ours.length}`);
  to.count += ours.length;
  ours.forEach((q, i) => {
    to.differing += q !== theirs[i];
    to.largest = Math.max(to.largest, Math.abs(q - theirs[i]));
  });
}
const percent = (part) => `${100 * part >= 10 ? (100 * part).toFixed(0) : Number((100 * part).toPrecision(2))} %`;
const share = ({ count, differing }) => percent(differing / count);
const argmax = (row) => row.reduce((best, y, i) => (y > row[best] ? i : best), 0);

async function stray(name, [calibration, data, shape, count]) {
  const [fq, id, qdq, input] = ["fq.onnx", "id.onnx", "qdq.onnx", "x.npy"].map((file) => join(work, file));
  const [kind, ...path] = calibration.split(":");
  run("quantize", join(shared, "models", `${name}.onnx`), "--data", `${kind}:${join(shared, path.join(":"))}`,
      "--samples", "64", "-o", fq);
  run("integerize", fq, "-o", id);
  run("convert", fq, "--dialect", "qdq", "-o", qdq);
  const layers = JSON.parse(run("show", id, "--json")).layers.map((layer) => layer.name);
  const elements = shape.reduce((a, b) => a * b), x = Float32Array.from(examples(name, data, elements, count));
  writeFileSync(input, npy(x, [count, ...shape]));
  const levels = layers.filter((layer) => readFileSync(qdq).includes(`${layer}.integers`));
  withOutputs(qdq, levels.map((layer) => `${layer}.integers`));
  const trace = join(work, "trace");
  rmSync(trace, { recursive: true, force: true });
  const { values: ours, scale, zero_point } =
      JSON.parse(run("run", id, "--input", input, "--engine", "torch", "--trace", trace, "--json")).outputs[0];
  const session = await ort.InferenceSession.create(qdq, { graphOptimizationLevel: "disabled" });
  const theirs = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", x, [count, ...shape]) });
  const all = tally(), outputs = tally(), worst = { share: 0, layer: "none" }, first = [];
  for (const layer of levels) {
    const one = tally();
    const file = `${layer.replace(/[^A-Za-z0-9._-]/g, "_")}.npy`;
    add(one, numbersOf(readFileSync(join(trace, file))), Array.from(theirs[`${layer}.integers`].data, Number));
    all.count += one.count, all.differing += one.differing, all.largest = Math.max(all.largest, one.largest);
    if (one.differing > 0) first.push(`${layer} ${share(one)}`);
    if (one.differing / one.count > worst.share) worst.share = one.differing / one.count, worst.layer = layer;
  }
  const reals = Array.from(theirs[session.outputNames[0]].data);
  add(outputs, ours, reals.map((y) => Math.round(y / scale + zero_point)));
  const span = ours.reduce((most, y) => Math.max(most, Math.abs(y)), 0), width = ours.length / count;
  let flips = 0;
  for (let i = 0; i < count; i++) {
    const row = (of) => argmax(of.slice(i * width, (i + 1) * width));
    flips += row(ours) !== row(reals);
  }
  console.log(`| ${name} | ${levels.length} | ${all.count} | ${share(all)} | ${all.largest} | ` +
              `${worst.layer} ${percent(worst.share)} | ${share(outputs)} | ` +
              `${percent(outputs.largest / span)} | ${flips} of ${count} |`);
  console.error(`${name}: layers with differences: ${first.slice(0, 3).join(", ")}`);
}

console.log("| network | layers | levels | differ | largest | most in | outputs differ | by up to | decisions |");
try {
  for (const [name, how] of Object.entries(networks))
    if (wanted.length === 0 || wanted.includes(name)) await stray(name, how);
} finally {
  rmSync(work, { recursive: true });
}
