#!/usr/bin/env python3
"""An application's C for microcontrollers gives the goldens of its bundle, within what 1/32768 can say.

application_c.py NIBBLE APPLICATIONS WORK CC
"""
import io
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import wave
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples/apps"))
from applications import ppm, run
import pictures
from onnx_writer import Network

PICTURE_MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "NAME_app.h"

int main(int count, char** words) {
  nibble_picture picture;
  static NAME_arena arena;
  static NAME_answer answer;
  int most, fault;
  FILE* in = count == 2 ? fopen(words[1], "rb") : NULL;
  if (in == NULL || fscanf(in, "P6 %d %d %d", &picture.width, &picture.height, &most) != 3 || fgetc(in) == EOF) return 2;
  const size_t bytes = 3u * (size_t)picture.width * (size_t)picture.height;
  uint8_t* pixels = malloc(bytes);
  double* scratch = malloc(NAME_app_scratch(picture.height, picture.width, 3));
  if (fread(pixels, 1, bytes, in) != bytes) return 2;
  picture.channels = 3;
  picture.pixels = pixels;
  fault = NAME_app_run(&picture, NULL, scratch, &arena, &answer);
  PRINT
  return fault;
}
"""
SOUND_MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "NAME_app.h"

static int16_t samples[1 << 20];

int main(int count, char** words) {
  static NAME_arena arena;
  static NAME_answer answer;
  const long window = atol(words[2]), hop = atol(words[3]);
  double* scratch = malloc(NAME_app_scratch());
  FILE* in = count == 4 ? fopen(words[1], "rb") : NULL;
  if (in == NULL) return 2;
  const long all = (long)fread(samples, 2, 1 << 20, in);
  for (long first = 0; first + window <= all; first += hop) {
    if (NAME_app_run(samples + first, scratch, &arena, &answer) != 0) return 1;
    PRINT
  }
  return 0;
}
"""
PRINT = {"keywords": r"""printf("%d %d %d\n", answer.index, answer.share, answer.heard);""",
         "anomaly": r"""printf("%.17g %d\n", (double)answer.error * NAME_ERROR, answer.anomalous);""",
         "classification": r"""for (int32_t i = 0; i < answer.count; ++i) printf("%d %d\n", answer.index[i], answer.share[i]);""",
         "detection": r"""for (int32_t i = 0; i < answer.count; ++i)
    printf("%d %d %d %d %d %d\n", answer.object[i].index, answer.object[i].score, answer.object[i].left,
           answer.object[i].top, answer.object[i].width, answer.object[i].height);""",
         "landmarks": r"""for (size_t i = 0; i < sizeof answer.point / sizeof answer.point[0]; ++i)
    printf("%d %d\n", answer.point[i][0], answer.point[i][1]);""",
         "segmentation": r"""for (size_t i = 0; i < sizeof answer.map; ++i) printf("%d\n", answer.map[i]);"""}


def same_keywords(golden, lines):
    found = [tuple(map(int, line.split())) for line in lines]
    heard = [(i, w["begin"]) for (i, _, new), w in zip(found, golden["windows"]) if new]
    return heard == [(k["index"], k["begin"]) for k in golden["keywords"]] and len(found) == len(golden["windows"]) and \
        all(i == w["index"] and abs(share - 32768 * w["probability"]) <= 2 for (i, share, _), w in zip(found, golden["windows"]))


def same_boxes(golden, lines):
    """The same boxes in the same order, each side within 1/16 pixel."""
    found = [tuple(map(int, line.split())) for line in lines]
    return len(found) == len(golden["objects"]) > 0 and all(
        line[0] == right["index"] and abs(line[1] - 32768 * right["score"]) <= 1.01 and
        all(abs(side / 16 - real) <= 1 / 16 for side, real in zip(line[2:], right["box"]))
        for line, right in zip(found, golden["objects"]))


def same_points(golden, lines):
    found = [tuple(map(int, line.split())) for line in lines]
    return len(found) == len(golden["points"]) > 0 and all(
        abs(x / 16 - right[0]) <= 1 / 16 and abs(y / 16 - right[1]) <= 1 / 16
        for (x, y), right in zip(found, golden["points"]))


def same(task, golden, lines):
    if task == "detection":
        return same_boxes(golden, lines)
    if task == "landmarks":
        return same_points(golden, lines)
    if task == "keywords":
        return same_keywords(golden, lines)
    if task == "anomaly":
        found = [tuple(map(float, line.split())) for line in lines]
        mean = sum(error for error, _ in found) / len(found)
        return abs(mean - golden["error"]) <= 1e-3 * golden["error"] and all(a == (e > golden["threshold"]) for e, a in found)
    if task == "segmentation":
        runs = golden["runs"]
        return [int(line) for line in lines] == [c for c, n in zip(runs[::2], runs[1::2]) for _ in range(n)]
    found = [tuple(map(int, line.split())) for line in lines]
    right = [(c["index"], c["probability"]) for c in golden["classes"]]
    return [i for i, _ in found] == [i for i, _ in right] and \
        all(abs(share - 32768 * p) <= 1.01 for (_, share), (_, p) in zip(found, right))


def sound_words(app, wav):
    """The samples as they lie, of a window, and from one window to the next."""
    with wave.open(io.BytesIO(wav)) as sound:
        raw = sound.readframes(sound.getnframes())
    rate, seconds = app["input"]["sound"]["rate"], app["input"]["sound"]["seconds"]
    return raw, [round(rate * seconds), round(rate * app["output"].get("hop", seconds))]


def strict(folder, name):
    """What goes from input to answer compiles where warnings are errors, those on conversions too."""
    for compiler in (["gcc"], ["clang"], ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]):
        if shutil.which(compiler[0]):
            run(*compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", "-I", folder,
                folder / f"{name}_app.c")


def other_rate(nibble, bundle, folder, name, work):
    """A sound of another rate is refused with both; code that is told of another rate does not compile."""
    with wave.open(str(work / "slow.wav"), "wb") as sound:
        sound.setparams((1, 2, 4321, 0, "NONE", ""))
        sound.writeframes(bytes(80000))
    said = subprocess.run([nibble, "app", "run", bundle, work / "slow.wav"], capture_output=True, text=True)
    if said.returncode == 0 or not re.search(r"slow\.wav: 4321 samples a second \(expected \d+, as the features have\)", said.stderr):
        sys.exit(f"{name}: a sound of another rate: {said}")
    compiled = subprocess.run(["cc", "-fsyntax-only", f"-D{name}_GIVEN_RATE=4321", "-I", folder, folder / f"{name}_app.c"],
                              capture_output=True, text=True)
    if compiled.returncode == 0 or "samples of another rate than" not in compiled.stderr:
        sys.exit(f"{name}: code for another rate: {compiled}")


def compare(nibble, cc, bundle, network, work):
    """How many samples of a bundle the C beside its network gives the goldens of."""
    name = bundle.stem
    to = pathlib.Path(work) / name
    with zipfile.ZipFile(bundle) as parts:
        app = json.loads(parts.read("app.json"))
        samples = [(s["golden"]["result"], parts.read(s["input"])) for s in app["samples"]]
    run(nibble, "generate", network, "--machine", "host", "--prefix", name, "--app", bundle, "-o", to, "--quiet")
    run("make", "-s", "-C", to, f"lib{name}.a")
    hears = "sound" in app["input"]
    main = (SOUND_MAIN if hears else PICTURE_MAIN).replace("PRINT", PRINT[app["task"]]).replace("NAME", name)
    (to / "try.c").write_text(main)
    run(cc, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-I", to, to / "try.c",
        to / f"{name}_app.c", to / f"lib{name}.a", "-lm", "-o", to / "try")
    strict(to, name)
    if hears:
        other_rate(nibble, bundle, to, name, pathlib.Path(work))
    for golden, file in samples:
        stored, words = sound_words(app, file) if hears else (ppm(file), [])
        (to / "sample").write_bytes(stored)
        lines = run(to / "try", to / "sample", *words).splitlines()
        if not same(app["task"], golden, lines):
            sys.exit(f"{name}: {lines} (expected {golden})")
    return len(samples)


def small_anomaly(nibble, work):
    """An autoencoder of one layer that gives back nine tenths, on a tone that grows: its folder and its bundle."""
    folder = work / "rebuilt"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sounds").mkdir(parents=True)
    with wave.open(str(folder / "sounds/tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"".join((i * (i * i % 401 - 200) // 40).to_bytes(2, "little", signed=True) for i in range(4000)))
    hears = {"rate": 8000, "seconds": 0.1, "flat": True,
             "features": {"window_length": 200, "hop": 200, "bands": 10, "power": 2, "logarithm": "decibel", "gain": 0.5,
                          "arithmetic": "integers"}}
    network = Network([40])
    network.constant("w", [40, 40], [0.9 if i == j else 0.0 for i in range(40) for j in range(40)])
    network.node("Gemm", ["w"], "rebuilt", transB=1).write(folder / "float.onnx", [40])
    (folder / "sound.json").write_text(json.dumps({"sound": hears}))
    run(nibble, "quantize", folder / "float.onnx", "--data", f"sounds:{folder}/sounds", "--preprocess", folder / "sound.json",
        "-o", folder / "fq.onnx", "--quiet")
    run(nibble, "integerize", folder / "fq.onnx", "-o", folder / "network.onnx", "--quiet")
    (folder / "app.json").write_text(json.dumps(
        {"name": "rebuilt", "task": "anomaly", "network": "network.onnx", "input": {"sound": hears},
         "output": {"threshold": 2}, "samples": ["sounds/tone.wav"], "licence": "none", "provenance": "this test"}))
    run(nibble, "app", "pack", folder / "app.json", "-o", work / "rebuilt.nibapp")
    return work / "rebuilt.nibapp", folder / "network.onnx"


def small_points(nibble, work):
    """Two layers that nobody trained give x and y of four points of pictures that are not of the network's proportions."""
    folder = work / "points"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "seen").mkdir(parents=True)
    rng = random.Random(2)
    for i in range(4):
        pictures.png(folder / f"seen/{i}.png", pictures.picture(rng, 2)[0])
    network = Network([3, 48, 48]).conv(4, stride=4).relu()
    network.node("Flatten").dense(4 * 12 * 12, 8, "points").write(folder / "float.onnx", [8])
    run(nibble, "quantize", folder / "float.onnx", "--data", f"images:{folder}/seen", "-o", folder / "fq.onnx", "--quiet")
    run(nibble, "integerize", folder / "fq.onnx", "-o", folder / "network.onnx", "--quiet")
    (folder / "app.json").write_text(json.dumps(
        {"name": "points", "task": "landmarks", "network": "network.onnx", "input": {"image": {"fit": "letterbox"}},
         "samples": ["seen/0.png", "seen/1.png"], "licence": "none", "provenance": "this test"}))
    run(nibble, "app", "pack", folder / "app.json", "-o", work / "points.nibapp")
    return work / "points.nibapp", folder / "network.onnx"


def main(nibble, applications, work, cc):
    pathlib.Path(work).mkdir(parents=True, exist_ok=True)
    found = [(folder.with_suffix(".nibapp"), folder / "network.onnx") for folder in sorted(pathlib.Path(applications).iterdir())
             if (folder / "network.onnx").exists()]
    if not found:
        sys.exit("no application was compared")
    found += [small_anomaly(nibble, pathlib.Path(work)), small_points(nibble, pathlib.Path(work))]
    compared = sum(compare(nibble, cc, bundle, network, pathlib.Path(work) / "c") for bundle, network in found)
    print(f"{compared} answers are their goldens")


if __name__ == "__main__":
    main(*sys.argv[1:])
