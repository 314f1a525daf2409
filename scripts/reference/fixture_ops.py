"""One fixture an op and case: evaluated by torch in float64 from float32 arguments, gradients by torch's autograd."""

import os

import numpy as np
import torch

from fixture_cases import CASES
from fixture_file import error, write_fixture
from seeded import seeded_values

F = torch.nn.functional
SEED = 1
FORWARD_BOUND, GRADIENT_BOUND = 1e-4, 3e-4


def follow(output, tensors, args):
    """What a residual network does after a normalisation, where a case asks for it."""
    if "residual" in tensors:
        output = output + tensors["residual"]
    return torch.relu(output) if args.get("relu") else output


OPS = {
    "conv2d": lambda t, a: F.conv2d(t["input"], t["weight"], t.get("bias"), a["stride"], a["padding"], a["dilation"],
                                    a["groups"]),
    "linear": lambda t, a: F.linear(t["input"], t["weight"], t.get("bias")),
    "matmul": lambda t, a: torch.matmul(t["input"], t["other"]),
    "max_pool2d": lambda t, a: F.max_pool2d(t["input"], a["kernel_size"], a["stride"], a["padding"],
                                            ceil_mode=a["ceil_mode"]),
    "avg_pool2d": lambda t, a: F.avg_pool2d(t["input"], a["kernel_size"], a["stride"], a["padding"],
                                            count_include_pad=a["count_include_pad"]),
    "adaptive_avg_pool2d": lambda t, a: F.adaptive_avg_pool2d(t["input"], a["output_size"]),
    "batch_norm": lambda t, a: follow(F.batch_norm(t["input"], t["running_mean"], t["running_var"], t.get("weight"),
                                                   t.get("bias"), a["training"], a["momentum"], a["eps"]), t, a),
    "layer_norm": lambda t, a: F.layer_norm(t["input"], t["input"].shape[-1:], t.get("weight"), t.get("bias"),
                                            a["eps"]),
    "relu": lambda t, a: F.relu(t["input"]),
    "sigmoid": lambda t, a: torch.sigmoid(t["input"]),
    "tanh": lambda t, a: torch.tanh(t["input"]),
    "gelu": lambda t, a: F.gelu(t["input"]),
    "add": lambda t, a: t["input"] + t["other"],
    "mul": lambda t, a: t["input"] * t["other"],
    "softmax": lambda t, a: F.softmax(t["input"], a["dim"]),
    "log_softmax": lambda t, a: F.log_softmax(t["input"], a["dim"]),
    "cross_entropy": lambda t, a: F.cross_entropy(t["input"], t["target"], label_smoothing=a["label_smoothing"]),
    "mse_loss": lambda t, a: F.mse_loss(t["input"], t["target"]),
    "mean": lambda t, a: torch.mean(t["input"], a["dim"], a["keepdim"]),
}

BUFFERS = ("running_mean", "running_var")


def evaluate(op, args, arrays, grads, grad_output, dtype):
    """Every tensor of the fixture that torch computes, in `dtype`, then as float32."""
    given = {}
    for name, value in arrays.items():
        tensor = torch.from_numpy(value.copy())
        given[name] = tensor.to(dtype).requires_grad_(name in grads) if tensor.is_floating_point() else tensor
    output = OPS[op](given, args)
    results = {"output": output.detach()}
    if grads:
        gradients = torch.autograd.grad(output, [given[name] for name in grads], grad_output(output).to(dtype))
        results |= {f"grad_{name}": value for name, value in zip(grads, gradients)}
    if op == "batch_norm" and args["training"]:
        results |= {f"{name}_after": given[name] for name in BUFFERS}
    return {name: value.detach().to(torch.float32).numpy() for name, value in results.items()}


def make_ops(out, source, report):
    for case in CASES:
        identity, op = case["id"], case["op"]
        arrays = dict(case["tensors"])
        floats = [name for name, value in arrays.items() if value.dtype == np.float32 and name not in BUFFERS]
        grads = case.get("grads", floats)

        def grad_output(output):
            values = seeded_values(f"{identity}.grad_output", output.numel(), SEED, 1.5)
            return torch.from_numpy(values).reshape(output.shape)

        want = evaluate(op, case["args"], arrays, grads, grad_output, torch.float64)
        single = evaluate(op, case["args"], arrays, grads, grad_output, torch.float32)
        share = max(error(single[n], want[n]) / (GRADIENT_BOUND if n.startswith("grad_") else FORWARD_BOUND)
                    for n in want)
        if grads:
            arrays["grad_output"] = grad_output(torch.from_numpy(want["output"])).numpy()
        path = os.path.join(out, "ops", f"{identity}.safetensors")
        write_fixture(path, op, case["args"], arrays | want, source)
        non_finite = sum(int((~np.isfinite(v)).sum()) for v in want.values())
        expected = case.get("nonfinite", False)
        if bool(non_finite) != expected:
            raise SystemExit(f"{identity}: {non_finite} values are not finite")
        if share > 0.1:
            raise SystemExit(f"{identity}: too ill-conditioned, float32 itself uses {share:.2f} of the bound")
        report.add(path, share, non_finite)
