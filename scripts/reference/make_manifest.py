"""Writes weights/manifest.json and weights/imagenet_classes.json from torchvision's own metadata.

    python scripts/reference/make_manifest.py

Needs torch and torchvision. The published files carry the first eight hex digits of their SHA-256 in their names,
which is what torch.hub checks too; the whole hash is published nowhere.
"""

import json
import sys
import types
from pathlib import Path

# A CPU build of torch may lack the operators that this module registers; the metadata needs none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))

import torchvision  # noqa: E402
from torchvision import models  # noqa: E402

ARCHITECTURES = {
    "resnet18": models.ResNet18_Weights,
    "resnet34": models.ResNet34_Weights,
    "resnet50": models.ResNet50_Weights,
    "resnet101": models.ResNet101_Weights,
    "resnet152": models.ResNet152_Weights,
    "resnext50_32x4d": models.ResNeXt50_32X4D_Weights,
    "wide_resnet50_2": models.Wide_ResNet50_2_Weights,
}


def entry(arch, weights):
    file = weights.url.rsplit("/", 1)[1]
    name = file.removesuffix(".pth")
    transforms = weights.transforms()
    metrics = weights.meta["_metrics"]["ImageNet-1K"]
    return {
        "name": name,
        "enum": f"{type(weights).__name__}.{weights.name}",
        "default": weights is type(weights).DEFAULT,
        "arch": arch,
        "file": file,
        "url": weights.url,
        "sha256_prefix": name.rsplit("-", 1)[1],
        "size_mib": weights.meta["_file_size"],
        "num_params": weights.meta["num_params"],
        "acc@1": metrics["acc@1"],
        "acc@5": metrics["acc@5"],
        "preprocessing": {
            "resize_size": transforms.resize_size[0],
            "crop_size": transforms.crop_size[0],
            "interpolation": transforms.interpolation.value,
            "antialias": bool(transforms.antialias),
            "mean": list(transforms.mean),
            "std": list(transforms.std),
        },
        "labels": "imagenet-1k",
    }


def main():
    folder = Path(__file__).resolve().parents[2] / "weights"
    manifest = {
        "format": "graft-manifest-1",
        "source": f"torchvision {torchvision.__version__.split('+')[0]}",
        "weights": [entry(arch, weights) for arch, enum in ARCHITECTURES.items() for weights in enum],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    categories = models.ResNet18_Weights.DEFAULT.meta["categories"]
    (folder / "imagenet_classes.json").write_text(json.dumps(categories, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
