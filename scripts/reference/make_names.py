"""Names and shapes of torchvision's ResNets, as a digest each: test/fixtures/names.json.

    python scripts/reference/make_names.py --out test/fixtures/names.json
"""

import argparse
import hashlib
import json
import sys
import types

import torch

sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("unused"))
import torchvision  # noqa: E402
from torchvision.models import resnet  # noqa: E402

ARCHS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    models = {}
    for arch in ARCHS:
        with torch.device("meta"):
            model = getattr(resnet, arch)()
        state = model.state_dict()
        lines = [f"{name} [{', '.join(map(str, value.shape))}]" for name, value in state.items()]
        parameters = [name for name, _ in model.named_parameters()]
        models[arch] = {
            "entries": len(lines), "state": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
            "parameters": len(parameters), "names": hashlib.sha256("\n".join(parameters).encode()).hexdigest(),
            "elements": sum(value.numel() for value in model.parameters()),
        }

    with open(out, "w") as file:
        json.dump({"source": f"torchvision {torchvision.__version__}", "models": models}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
