"""Writing fixtures of format 1 (docs/fixtures.md), and how far torch's own float32 lies from what they hold."""

import json
import math
import os

import numpy as np

DTYPES = {"float32": "F32", "int64": "I64"}


def write_fixture(path, op, args, tensors, source):
    """A .safetensors file. Written here, since the library orders the metadata anew on every run."""
    metadata = {"format": "graft-fixture-1", "op": op, "args": json.dumps(args), "source": source}
    header, chunks, offset = {"__metadata__": metadata}, [], 0
    # I64 first, then F32: every tensor starts at a multiple of its element's size.
    for name, value in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        data = np.ascontiguousarray(value).tobytes()
        header[name] = {
            "dtype": DTYPES[str(value.dtype)], "shape": list(value.shape), "data_offsets": [offset, offset + len(data)],
        }
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(chunks))
    os.replace(path + ".part", path)


def error(got, want):
    """The format's error: max|got - want| / max(max|want|, 1e-6) over finite elements; infinite if the rest differs."""
    got, want = got.astype(np.float64), want.astype(np.float64)
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)) or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return math.inf
    if not finite.any():
        return 0.0
    return np.abs(got[finite] - want[finite]).max() / max(np.abs(want[finite]).max(), 1e-6)


class Report:
    """One row a file: size, the error of torch's own float32 as a share of the bound, and values not finite."""

    def __init__(self, out):
        self.out = out
        self.rows = []

    def add(self, path, share, non_finite, note=""):
        self.rows.append((os.path.relpath(path, self.out), os.path.getsize(path), share, non_finite, note))

    def print(self):
        width = max(len(row[0]) for row in self.rows)
        print(f"{'file':{width}} {'bytes':>8} {'f32/bound':>9} {'nonfinite':>9}")
        for name, size, share, non_finite, note in self.rows:
            print(f"{name:{width}} {size:8} {share:9.1e} {non_finite:9} {note}")
        for folder in sorted({row[0].split(os.sep)[0] for row in self.rows}):
            sizes = [row[1] for row in self.rows if row[0].split(os.sep)[0] == folder]
            print(f"{folder}: {len(sizes)} files, {sum(sizes)} bytes, largest {max(sizes)}")
