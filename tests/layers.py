#!/usr/bin/env python3
"""Checks that every #include in src/ follows the room(...) and subrooms(...) lines of src/CMakeLists.txt.

A room may name only rooms above it, and a file may include only its own room and those that the line names. Within a
room, a header of the room's own folder includes no subroom, a file of a subroom only those before its own. Only `onnx`
includes protobuf's classes, only `train` torch, only `stats` Boost.Math, only `stats` and `quant` Eigen, only `lab`
SQLite. No folder holds more than 35 files.
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"
OWNERS = {"torch/": "train", "ATen/": "train", "c10/": "train", "onnx/onnx_pb.h": "onnx", "google/": "onnx",
          "boost/math/": "stats", "Eigen/": "stats quant", "sqlite3.h": "lab"}
MOST_FILES = 35


def read_rooms(text):
    rooms, faults = {}, []
    for line in re.findall(r"^\s*room\(([^)]*)\)", text, re.M):
        name, *uses = line.split()
        faults += [f"room {name} uses '{used}', which is not above it" for used in uses if used not in rooms]
        rooms[name] = set(uses)
    subrooms = {}
    for line in re.findall(r"^\s*subrooms\(([^)]*)\)", text, re.M):
        name, *folders = line.split()
        faults += [] if name in rooms else [f"subrooms of '{name}', which is no room"]
        subrooms[name] = folders
    return rooms, subrooms, faults


def folder_of(parts):
    """The subroom of a path below src/, '' in the room's own folder."""
    return parts[1] if len(parts) > 2 else ""


def subroom_fault(path, included, order):
    """What is wrong with a file's including another of its room, or None."""
    here, there = folder_of(path.parts), folder_of(pathlib.PurePath(included).parts)
    if not there or here == there:
        return None
    if not here:
        return f"a header of the room's own folder may not include '{there}'" if path.suffix in (".h", ".hpp") else None
    if there not in order or order.index(there) > order.index(here):
        return f"subroom '{here}' may not include '{there}'"
    return None


def check_file(source, path, room, rooms, subrooms):
    for number, line in enumerate((source / path).read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if not match:
            continue
        quote, included = match.groups()
        place = f"src/{path}:{number}"
        for prefix, owner in OWNERS.items():
            if quote == "<" and included.startswith(prefix) and room not in owner.split():
                rooms_of = "' or '".join(owner.split())
                yield f"{place}: only room '{rooms_of}' includes <{included}>"
        target = included.split("/")[0]
        if quote == '"' and target not in rooms:
            yield f'{place}: "{included}" names no room'
        elif quote == '"' and room is not None and target != room and target not in rooms[room]:
            yield f"{place}: room '{room}' may not include '{target}'"
        elif quote == '"' and room is not None and target == room:
            fault = subroom_fault(path, included, subrooms.get(room, []))
            if fault:
                yield f"{place}: {fault}"


def check_folders(source, subrooms):
    for folder in sorted(p for p in source.rglob("*") if p.is_dir()):
        files = [p for p in folder.iterdir() if p.is_file()]
        if len(files) > MOST_FILES:
            yield f"src/{folder.relative_to(source)} holds {len(files)} files (at most {MOST_FILES})"
        parts = folder.relative_to(source).parts
        if len(parts) == 2 and parts[1] not in subrooms.get(parts[0], []):
            yield f"src/{'/'.join(parts)} is no subroom"
        if len(parts) > 2:
            yield f"src/{'/'.join(parts)} is a folder in a subroom"


def check(source):
    rooms, subrooms, faults = read_rooms((source / "CMakeLists.txt").read_text())
    for path in sorted(source.rglob("*.[ch]*")):
        relative = path.relative_to(source)
        if path.suffix in (".c", ".h", ".cpp", ".hpp"):
            room = relative.parts[0] if relative.parts[0] in rooms else None
            faults += check_file(source, relative, room, rooms, subrooms)
    faults += [f"src/{p.name} is no room" for p in source.iterdir() if p.is_dir() and p.name not in rooms]
    return faults + list(check_folders(source, subrooms))


if __name__ == "__main__":
    found = check(SOURCE)
    print("\n".join(found) if found else "layers: every include is allowed")
    sys.exit(1 if found else 0)
