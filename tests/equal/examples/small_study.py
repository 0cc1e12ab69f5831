"""A study of seconds, with data of its own, and what two folders of it must agree in."""
import json
import pathlib
import random
import struct
import zipfile

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples" / "studies"


def npy(kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def write(folder, examples=60):
    """Gray images whose brighter half says their class, and examples/studies/mnist_2x2x2.json reduced to them: 8 runs,
    2 widths by 2 algorithms by 2 folds of one seed."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    labels = [i % 2 for i in range(examples)]
    pixels = bytes(draw.randrange(128) + (15 if (at < 392) == label else 0) for label in labels for at in range(784))
    with zipfile.ZipFile(folder / "examples.npz", "w") as archive:
        archive.writestr("x.npy", npy("|u1", (examples, 28, 28, 1), pixels))
        archive.writestr("y.npy", npy("<i8", (examples,), struct.pack(f"<{examples}q", *labels)))
    study = json.loads((EXAMPLES / "mnist_2x2x2.json").read_text())
    study["data"]["train"] = f"npz:{folder}/examples.npz"
    study["train"].update({"epochs": 2, "batch_size": 16})
    study["design"]["factors"].pop()
    study["design"]["seeds"] = 1
    study["folds"]["count"] = 2
    (folder / "study.json").write_text(json.dumps(study))
    return folder / "study.json"


def contents(out):
    """Of every run what is no time and no machine: its outcome, its predictions, its networks."""
    found = {}
    for outcome in sorted(pathlib.Path(out).glob("*/*/outcome.json")):
        run = json.loads(outcome.read_text())
        for key in ("seconds", "machine"):
            run.pop(key)
        files = sorted(file for file in outcome.parent.rglob("*")
                       if file.suffix == ".onnx" or file.name in ("predictions.json", "certificate.json"))
        networks = {str(file.relative_to(outcome.parent)): file.read_bytes() for file in files}
        found[str(outcome.parent.relative_to(out))] = (run, networks)
    return found


def faults_of(found, wanted):
    """What differs, a line each."""
    for run in sorted(wanted.keys() | found.keys()):
        if run not in found or run not in wanted:
            yield f"{run}: only in one folder"
        elif found[run][0] != wanted[run][0]:
            yield f"{run}: outcome {found[run][0]} (expected {wanted[run][0]})"
        elif found[run][1] != wanted[run][1]:
            names = [name for name in wanted[run][1] if found[run][1].get(name) != wanted[run][1][name]]
            yield f"{run}: {names or sorted(found[run][1].keys() ^ wanted[run][1].keys())} differ"
