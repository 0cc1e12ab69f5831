#!/usr/bin/env python3
"""Checks that every #include in src/ follows the room(...) lines of src/CMakeLists.txt.

A room may name only rooms above it, and a file may include only its own room and those that the line names. Only
`onnx` includes protobuf's classes, only `train` includes torch.
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"
OWNERS = {"torch/": "train", "ATen/": "train", "c10/": "train", "onnx/onnx_pb.h": "onnx", "google/": "onnx"}


def read_rooms(text):
    rooms, faults = {}, []
    for line in re.findall(r"^\s*room\(([^)]*)\)", text, re.M):
        name, *uses = line.split()
        faults += [f"room {name} uses '{used}', which is not above it" for used in uses if used not in rooms]
        rooms[name] = set(uses)
    return rooms, faults


def check_file(path, room, rooms):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if not match:
            continue
        quote, included = match.groups()
        place = f"{path.relative_to(SOURCE.parent)}:{number}"
        for prefix, owner in OWNERS.items():
            if quote == "<" and included.startswith(prefix) and room != owner:
                yield f"{place}: only room '{owner}' includes <{included}>"
        target = included.split("/")[0]
        if quote == '"' and target not in rooms:
            yield f'{place}: "{included}" names no room'
        elif quote == '"' and room is not None and target != room and target not in rooms[room]:
            yield f"{place}: room '{room}' may not include '{target}'"


def check(source):
    rooms, faults = read_rooms((source / "CMakeLists.txt").read_text())
    for path in sorted(source.rglob("*.[ch]*")):
        folder = path.relative_to(source).parts[0]
        if path.suffix in (".c", ".h", ".cpp", ".hpp"):
            faults += check_file(path, folder if folder in rooms else None, rooms)
    faults += [f"src/{p.name} is no room" for p in source.iterdir() if p.is_dir() and p.name not in rooms]
    return faults


if __name__ == "__main__":
    found = check(SOURCE)
    print("\n".join(found) if found else "layers: every include is allowed")
    sys.exit(1 if found else 0)
