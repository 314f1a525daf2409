"""Training fixtures: a few steps of fine-tuning by torchvision's ResNets and torch.optim (docs/fixtures.md)."""

import os

import numpy as np
import torch
from torchvision.models import resnet

from fixture_file import error, write_fixture
from seeded import FORMULA, fnv1a, seeded_inputs, seeded_state_dict, seeded_values

BLOCKS = {
    "resnet18": (resnet.BasicBlock, [2, 2, 2, 2]), "resnet34": (resnet.BasicBlock, [3, 4, 6, 3]),
    "resnet50": (resnet.Bottleneck, [3, 4, 6, 3]),
}
SAMPLES = 1024
TO_HEAD = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
TO_LAYER4 = TO_HEAD[:-1]
TO_LAYER2 = ["conv1", "bn1", "layer1"]


class NarrowResNet(resnet.ResNet):
    """torchvision's ResNet with another base width than 64."""

    def __init__(self, block, layers, num_classes, width):
        torch.nn.Module.__init__(self)
        self._norm_layer = torch.nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, 1, 64
        self.conv1 = torch.nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(width)
        self.relu = torch.nn.ReLU()
        self.maxpool = torch.nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(block, width, layers[0])
        self.layer2 = self._make_layer(block, width * 2, layers[1], 2)
        self.layer3 = self._make_layer(block, width * 4, layers[2], 2)
        self.layer4 = self._make_layer(block, width * 8, layers[3], 2)
        self.avgpool = torch.nn.AdaptiveAvgPool2d((1, 1))
        self.fc = torch.nn.Linear(width * 8 * block.expansion, num_classes)


def build(args):
    if "width" in args:
        return NarrowResNet(*BLOCKS[args["arch"]], args["num_classes"], args["width"])
    return getattr(resnet, args["arch"])(num_classes=args["num_classes"])


def is_frozen(name, args):
    return any(name.startswith(prefix) for prefix in args["freeze"])


def set_modes(model, args):
    """Training mode, but BatchNorm holds its statistics under `bn: hold` or where all its parameters are frozen."""
    model.train()
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            names = [f"{path}.{name}" for name, _ in module.named_parameters()]
            if args["bn"] == "hold" or all(is_frozen(name, args) for name in names):
                module.eval()


def make_optimizer(parameters, options):
    options = dict(options)
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[options.pop("name")]
    return kind(parameters, **options)


def train(args, state, inputs, targets, dtype):
    model = build(args)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    model.to(dtype)
    batches = torch.from_numpy(inputs).to(dtype)
    labels = torch.from_numpy(targets)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not is_frozen(name, args))
    model.eval()
    with torch.no_grad():
        logits = model(batches[0])
    optimizer = make_optimizer([p for p in model.parameters() if p.requires_grad], args["optimizer"])
    set_modes(model, args)
    losses = []
    for batch, label in zip(batches, labels):
        loss = torch.nn.functional.cross_entropy(model(batch), label, label_smoothing=args["label_smoothing"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = {}
    parameters = {name for name, _ in model.named_parameters()}
    for name, value in model.state_dict().items():
        value = value.numpy()
        after[name] = value.astype(np.float32) if value.dtype.kind == "f" else value
        if is_frozen(name, args) and name in parameters:
            assert np.array_equal(after.pop(name), state[name]), name
    return {"logits": logits.to(torch.float32).numpy(), "losses": np.array(losses, np.float32), "after": after}


def next_prime(n):
    n = max(2, n)
    while any(n % d == 0 for d in range(2, int(n ** 0.5) + 1)):
        n += 1
    return n


SGD = {"name": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4}
NESTEROV = SGD | {"nesterov": True, "weight_decay": 1e-4}
PLAIN = {"name": "sgd", "lr": 0.005}
ADAMW = {"name": "adamw", "lr": 3e-4, "betas": [0.9, 0.999], "weight_decay": 0.05}

# name, arch, width (None: torchvision's), freeze, bn, optimizer, label smoothing, steps, batch, height, width of images,
# what the file holds: "state" = whole tensors (format 1), "formula" = formula weights and samples of large results.
RUNS = [
    ("resnet18_w4_head_update_adamw", "resnet18", 4, TO_HEAD, "update", ADAMW | {"lr": 1e-3}, 0.1, 5, 4, 32, 32,
     "state"),
    ("resnet18_w4_layer4_hold_sgd_odd_images", "resnet18", 4, TO_LAYER4, "hold", SGD, 0.1, 3, 3, 37, 45, "state"),
    ("resnet18_w4_layer4_update_adamw", "resnet18", 4, TO_LAYER4, "update", ADAMW, 0.0, 3, 4, 40, 32, "state"),
    ("resnet18_w4_full_update_adamw", "resnet18", 4, [], "update", ADAMW, 0.0, 3, 6, 32, 32, "state"),
    ("resnet18_w8_head_hold_sgd", "resnet18", 8, TO_HEAD, "hold", PLAIN, 0.0, 3, 3, 40, 40, "formula"),
    ("resnet18_w8_full_update_nesterov", "resnet18", 8, [], "update", NESTEROV, 0.0, 3, 6, 32, 32, "formula"),
    ("resnet18_w4_full_hold_adamw", "resnet18", 4, [], "hold", ADAMW, 0.1, 3, 4, 32, 32, "formula"),
    ("resnet18_w6_from_layer2_update_sgd", "resnet18", 6, TO_LAYER2, "update", SGD, 0.1, 4, 5, 32, 32, "formula"),
    ("resnet18_w4_layer2_frozen_update_sgd", "resnet18", 4, ["layer2"], "update", SGD, 0.0, 3, 6, 32, 32, "formula"),
    ("resnet18_w4_partly_frozen_norms_update_sgd", "resnet18", 4, ["bn1.weight", "layer1.0.bn1", "layer3.1.bn2.bias"],
     "update", SGD, 0.0, 3, 6, 32, 32, "formula"),
    ("resnet34_w4_full_update_sgd", "resnet34", 4, [], "update", SGD, 0.0, 3, 4, 32, 40, "formula"),
    ("resnet50_w4_full_update_nesterov", "resnet50", 4, [], "update", NESTEROV, 0.1, 3, 5, 40, 32, "formula"),
    ("resnet50_w4_layer4_hold_adamw", "resnet50", 4, TO_LAYER4, "hold", ADAMW, 0.0, 3, 3, 40, 40, "formula"),
    ("resnet18_head", "resnet18", None, TO_HEAD, "hold", PLAIN | {"lr": 0.0005}, 0.0, 2, 2, 64, 64, "formula"),
    ("resnet18_layer4", "resnet18", None, TO_LAYER4, "hold", SGD | {"lr": 0.0002}, 0.1, 2, 2, 64, 64, "formula"),
    ("resnet18_full", "resnet18", None, [], "update", SGD | {"lr": 0.005}, 0.0, 2, 2, 64, 64, "formula"),
    ("resnet50_head", "resnet50", None, TO_HEAD, "update", ADAMW | {"lr": 1e-3}, 0.1, 2, 2, 64, 64, "formula"),
]


def make_train(out, source, report):
    for run in RUNS:
        name, arch, width, freeze, bn, optimizer, smoothing, steps, batch, image_height, image_width, held = run
        seed = fnv1a(name)
        args = {"arch": arch, "num_classes": 10, "freeze": freeze, "bn": bn, "optimizer": optimizer,
                "label_smoothing": smoothing} | ({} if width is None else {"width": width})
        shapes = {key: tuple(value.shape) for key, value in build(args).state_dict().items()}
        state = seeded_state_dict(shapes, seed)
        inputs = seeded_inputs((steps, batch, 3, image_height, image_width), seed)
        targets = (seeded_values("targets", steps * batch, seed, 0.5, 0.5) * np.float32(9.999)).astype(np.int64)
        targets = targets.reshape(steps, batch)
        want = train(args, state, inputs, targets, torch.float64)
        single = train(args, state, inputs, targets, torch.float32)
        share = max(error(single["logits"], want["logits"]) / 1e-3, error(single["losses"], want["losses"]) / 2e-3,
                    max(error(single["after"][key], want["after"][key]) / 1e-2 for key in want["after"]))
        worst = max(want["after"], key=lambda key: error(single["after"][key], want["after"][key]))

        tensors = {"inputs": inputs, "targets": targets, "logits": want["logits"], "losses": want["losses"]}
        if held == "formula":
            args |= {"state": {"formula": FORMULA, "seed": seed}, "sample_stride": {}}
        else:
            tensors |= {f"state.{key}": value for key, value in state.items()}
        for key, value in want["after"].items():
            if held == "formula" and value.size > SAMPLES:
                # A prime, so that the sample meets every position of the kernel and every channel alike.
                stride = next_prime(-(-value.size // SAMPLES))
                args["sample_stride"][key] = stride
                tensors[f"after_sample.{key}"] = value.reshape(-1)[::stride]
            else:
                tensors[f"after.{key}"] = value
        path = os.path.join(out, "train", f"{name}.safetensors")
        write_fixture(path, "train", args, tensors, source)
        non_finite = sum(int((~np.isfinite(v)).sum()) for v in tensors.values())
        losses = " ".join(f"{loss:.3f}" for loss in want["losses"])
        moved = max(np.abs(v - state[k]).max() / max(np.abs(state[k]).max(), 1e-6)
                    for k, v in want["after"].items() if v.dtype == np.float32 and "running" not in k)
        report.add(path, share, non_finite, f"losses {losses}  moved {moved:.3f}  worst {worst}")
