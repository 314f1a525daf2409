"""What src/weights/seeded.ts must reproduce bit for bit: values, and digests of whole state dicts."""

import hashlib
import json
import os

import torchvision

from seeded import FORMULA, seeded_inputs, seeded_state_dict, seeded_values

STREAMS = [("layer1.0.conv1.weight", 9, 0, 0.1, 0.0), ("poids/é/重み", 7, 4294967295, 3.0, -2.5), ("", 3, 7, 1.0, 0.0)]
MODELS = [("resnet18", 2024), ("resnet50", 4294967295)]


def digest(arrays):
    """sha256 of the bytes (little endian) of all tensors, in order."""
    total = hashlib.sha256()
    for value in arrays:
        total.update(value.tobytes())
    return total.hexdigest()


def make_seeded(out, source, report):
    streams = [{"name": n, "count": c, "seed": s, "scale": k, "offset": o,
                "values": [float(v) for v in seeded_values(n, c, s, k, o)]} for n, c, s, k, o in STREAMS]
    models = []
    for arch, seed in MODELS:
        shapes = {k: tuple(v.shape) for k, v in getattr(torchvision.models, arch)().state_dict().items()}
        state = seeded_state_dict(shapes, seed)
        models.append({"arch": arch, "seed": seed, "shapes": {k: list(v) for k, v in shapes.items()},
                       "sha256": digest(state.values()),
                       "first": {k: [float(x) for x in v.reshape(-1)[:2]] for k, v in list(state.items())[:12]}})
    inputs = {"shape": [2, 3, 32, 40], "seed": 5, "sha256": digest([seeded_inputs((2, 3, 32, 40), 5)])}
    path = os.path.join(out, "seeded.json")
    os.makedirs(out, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        text = {"formula": FORMULA, "source": source, "streams": streams, "inputs": inputs, "models": models}
        file.write(json.dumps(text, ensure_ascii=False) + "\n")
    report.add(path, 0.0, 0)
