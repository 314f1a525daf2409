"""Optimisers and schedules on their own: parameters after every step, and the learning rate of every step."""

import json
import os

import numpy as np
import torch

from fixture_file import error, write_fixture
from fixture_train import make_optimizer
from seeded import seeded_values

SEED = 1
STEPS, SIZE = 10, 257
BOUND = 1e-5

OPTIMIZERS = {
    "sgd": {"name": "sgd", "lr": 0.1},
    "sgd_weight_decay": {"name": "sgd", "lr": 0.1, "weight_decay": 0.01},
    "sgd_momentum": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    "sgd_momentum_weight_decay": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
    "sgd_nesterov_weight_decay": {"name": "sgd", "lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "adamw": {"name": "adamw", "lr": 1e-3, "betas": [0.9, 0.999], "weight_decay": 0.01},
    "adamw_no_weight_decay": {"name": "adamw", "lr": 1e-2, "betas": [0.9, 0.999], "weight_decay": 0.0},
    "adamw_betas": {"name": "adamw", "lr": 3e-3, "betas": [0.5, 0.9], "weight_decay": 0.1},
}

SCHEDULES = [
    ("CosineAnnealingLR", 0.1, {"T_max": 20}),
    ("CosineAnnealingLR", 0.01, {"T_max": 7, "eta_min": 0.001}),
    ("OneCycleLR", 0.1, {"max_lr": 0.1, "total_steps": 25}),
    ("OneCycleLR", 0.1, {"max_lr": 0.02, "total_steps": 16, "pct_start": 0.25, "div_factor": 10.0,
                         "final_div_factor": 100.0}),
    ("OneCycleLR", 0.1, {"max_lr": 0.1, "total_steps": 20, "anneal_strategy": "linear"}),
]


def run(options, start, grads, dtype):
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()).to(dtype))
    optimizer = make_optimizer([parameter], options)
    after = []
    for grad in torch.from_numpy(grads).to(dtype):
        parameter.grad = grad.clone()
        optimizer.step()
        after.append(parameter.detach().to(torch.float32).numpy().copy())
    return np.stack(after)


def schedule(name, lr, args):
    """The rate (and the momentum, where the schedule moves it) that each step uses, the first step's first."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **args)
    steps = args.get("T_max", args.get("total_steps"))
    rates, momenta = [], []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return {"name": name, "lr": lr, "args": args, "rates": rates} | (
        {"momenta": momenta} if name == "OneCycleLR" else {})


def make_optim(out, source, report):
    for name, options in OPTIMIZERS.items():
        start = seeded_values(f"{name}.param", SIZE, SEED, 1.0)
        grads = seeded_values(f"{name}.grads", STEPS * SIZE, SEED, 1.0).reshape(STEPS, SIZE)
        # A parameter that gets no gradient, and one whose gradient is tiny.
        grads[:, 0] = 0
        grads[:, 1] *= np.float32(1e-6)
        want = run(options, start, grads, torch.float64)
        share = error(run(options, start, grads, torch.float32), want) / BOUND
        path = os.path.join(out, "optim", f"{name}.safetensors")
        write_fixture(path, "optimizer", {"optimizer": options}, {"param": start, "grads": grads, "after": want}, source)
        report.add(path, share, int((~np.isfinite(want)).sum()), f"moved {np.abs(want[-1] - start).max():.3f}")
    path = os.path.join(out, "optim", "schedules.json")
    schedules = [schedule(*entry) for entry in SCHEDULES]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps({"source": source, "schedules": schedules}, indent=1) + "\n")
    report.add(path, 0.0, 0)
