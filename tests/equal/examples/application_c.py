#!/usr/bin/env python3
"""An application's C for microcontrollers gives the goldens of its bundle, within what 1/32768 can say.

application_c.py NIBBLE APPLICATIONS WORK CC
"""
import json
import pathlib
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from applications import ppm, run

MAIN = r"""
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
PRINT = {"classification": r"""for (int32_t i = 0; i < answer.count; ++i) printf("%d %d\n", answer.index[i], answer.share[i]);""",
         "segmentation": r"""for (size_t i = 0; i < sizeof answer.map; ++i) printf("%d\n", answer.map[i]);"""}


def same(task, golden, lines):
    if task == "segmentation":
        runs = golden["runs"]
        return [int(line) for line in lines] == [c for c, n in zip(runs[::2], runs[1::2]) for _ in range(n)]
    found = [tuple(map(int, line.split())) for line in lines]
    right = [(c["index"], c["probability"]) for c in golden["classes"]]
    return [i for i, _ in found] == [i for i, _ in right] and \
        all(abs(share - 32768 * p) <= 1.01 for (_, share), (_, p) in zip(found, right))


def main(nibble, applications, work, cc):
    compared = 0
    for folder in sorted(pathlib.Path(applications).iterdir()):
        if not (folder / "network.onnx").exists():
            continue
        name, to = folder.name, pathlib.Path(work) / folder.name
        with zipfile.ZipFile(folder.with_suffix(".nibapp")) as parts:
            app = json.loads(parts.read("app.json"))
            samples = [(s["golden"]["result"], parts.read(s["input"])) for s in app["samples"]]
        run(nibble, "generate", folder / "network.onnx", "--machine", "host", "--prefix", name, "--app", folder / "app.json",
            "-o", to, "--quiet")
        run("make", "-s", "-C", to, f"lib{name}.a")
        (to / "try.c").write_text(MAIN.replace("NAME", name).replace("PRINT", PRINT[app["task"]]))
        run(cc, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-I", to, to / "try.c",
            to / f"{name}_app.c", to / f"lib{name}.a", "-lm", "-o", to / "try")
        for golden, png in samples:
            (to / "sample.ppm").write_bytes(ppm(png))
            lines = run(to / "try", to / "sample.ppm").splitlines()
            if not same(app["task"], golden, lines):
                sys.exit(f"{name}: {lines} (expected {golden})")
            compared += 1
    if compared == 0:
        sys.exit("no application was compared")
    print(f"{compared} answers are their goldens")


if __name__ == "__main__":
    main(*sys.argv[1:])
