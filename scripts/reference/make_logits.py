"""Logits of torchvision's ResNets, evaluation mode, with formula weights and inputs (docs/fixtures.md)."""

import os

import numpy as np
import torch
from torchvision.models import resnet

from fixture_file import error, write_fixture
from seeded import FORMULA, fnv1a, seeded_inputs, seeded_state_dict

ARCHS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2"]
INPUTS = {"64": [2, 3, 64, 64], "224": [1, 3, 224, 224]}
BOUND = 1e-3


def make_logits(out, source, report):
    for arch in ARCHS:
        seed = fnv1a(arch)
        model = getattr(resnet, arch)().eval()
        state = seeded_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()}, seed)
        model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        args = {"arch": arch, "num_classes": 1000, "state": {"formula": FORMULA, "seed": seed}, "inputs": {}}
        tensors, share = {}, 0.0
        for key, shape in INPUTS.items():
            args["inputs"][key] = {"formula": FORMULA, "seed": seed, "shape": shape}
            batch = torch.from_numpy(seeded_inputs(tuple(shape), seed))
            with torch.no_grad():
                want = model.double()(batch.double()).float().numpy()
                single = model.float()(batch).numpy()
            tensors[f"logits.{key}"] = want
            share = max(share, error(single, want) / BOUND)
        path = os.path.join(out, "logits", f"{arch}.safetensors")
        write_fixture(path, "logits", args, tensors, source)
        non_finite = sum(int((~np.isfinite(v)).sum()) for v in tensors.values())
        report.add(path, share, non_finite, "std " + " ".join(f"{v.std():.2f}" for v in tensors.values()))
