"""PyTorch on the bench's cases, in its eager mode: cuDNN and cuBLAS on CUDA, with TF32 off; float32, and float16.

    node bench/exportCases.mjs
    python bench/torch/benchTorch.py --out torch.json [--cases FILE] [--device cuda|cpu] [--only TEXT] [--rounds N]

Needs torch, and torchvision for the models. A sample is so many repeats that it lasts --sample milliseconds, ended by
waiting for the device. Gradients are computed alone, by the functions that autograd calls.
"""
import argparse
import json
import os
import platform
import statistics
import sys
import time
import types

import torch


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default=os.path.join(here, "cases.json"))
    parser.add_argument("--out", required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", default="", help="only cases whose name has this in it")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sample", type=float, default=40, help="least length of a sample, in milliseconds")
    args = parser.parse_args()
    with open(args.cases) as file:
        cases = json.load(file)
    if cases.get("format") != "graft-bench-cases-1":
        sys.exit(f"{args.cases} holds no cases of the bench; write them with: node bench/exportCases.mjs")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # its own choice of algorithm by measurement, as Graft's tuner

    bench = Bench(args)
    kernels = {}
    for case in cases["kernels"]:
        if args.only not in case["id"]:
            continue
        kernels[case["id"]] = {name: bench.time(kernel(case, bench.device, dtype)) for name, dtype in bench.dtypes(case)}
        report(case["id"], kernels[case["id"]], case["operations"])
    models = {}
    for case in cases["models"]:
        if args.only not in case["id"]:
            continue
        rows = models[case["id"]] = {}
        for workload in case["workloads"]:
            rows[workload] = {name: bench.time(model_step(case, workload, bench.device, dtype)) for name, dtype in bench.dtypes(case)}
            report(f"{case['id']}, {workload}", rows[workload], 0)
    result = {
        "format": "graft-bench-torch-1",
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if bench.cuda else f"CPU, {torch.get_num_threads()} threads",
        "cudnn": torch.backends.cudnn.version() if bench.cuda else None,
        "cuda": torch.version.cuda,
        "system": platform.platform(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernels": kernels,
        "models": models,
    }
    with open(args.out + ".part", "w") as file:
        json.dump(result, file, indent=1)
    os.replace(args.out + ".part", args.out)
    print(f"wrote {args.out}")


class Bench:
    def __init__(self, args):
        self.device = torch.device(args.device)
        self.cuda = args.device == "cuda"
        self.rounds = args.rounds
        self.least = args.sample / 1000

    def dtypes(self, case):
        """float16 has no place in updates of weights, and is emulated on a CPU."""
        return [("f32", torch.float32)] + ([("f16", torch.float16)] if self.cuda and case.get("op") != "sgd update" else [])

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize()

    def sample(self, run, repeats):
        self.sync()
        began = time.perf_counter()
        for _ in range(repeats):
            run()
        self.sync()
        return (time.perf_counter() - began) / repeats

    def time(self, run):
        """Milliseconds an iteration, one value a round."""
        for _ in range(3):
            run()
        repeats = max(1, min(2000, int(self.least / max(1e-7, self.sample(run, 1))) + 1))
        return [round(1000 * self.sample(run, repeats), 6) for _ in range(self.rounds)]


def report(name, times, operations):
    parts = []
    for dtype, samples in times.items():
        middle = statistics.median(samples)
        parts.append(f"{dtype} {middle:.3f} ms" + (f" {operations / middle / 1e6:.1f} GFLOP/s" if operations else ""))
    print(f"{name:45} {'   '.join(parts)}", flush=True)


def kernel(case, device, dtype):
    """A function that computes the case once."""

    def make(shape):
        return torch.rand(shape, device=device).mul(2).sub(1).to(dtype)

    def image(shape):
        n, h, w, c = shape
        return make((n, c, h, w)).to(memory_format=torch.channels_last)

    if case["kind"] == "matmul":
        a, b = make((case["m"], case["k"])), make((case["k"], case["n"]))
        return lambda: torch.mm(a, b)
    if case["kind"] == "conv":
        kh, kw, channels, out = case["weight"]
        weight = make((out, channels, kh, kw)).to(memory_format=torch.channels_last)
        x, dy, stride, padding = image(case["x"]), image(case["dy"]), case["stride"], case["padding"]
        if case["pass"] == "forward":
            return lambda: torch.nn.functional.conv2d(x, weight, stride=stride, padding=padding)
        mask = [case["pass"] == "input", case["pass"] == "weight", False]
        return lambda: torch.ops.aten.convolution_backward(dy, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)
    return memory_bound(case, make, image)


def memory_bound(case, make, image):
    op, shape = case["op"], case["shape"]
    four = len(shape) == 4
    x = image(shape) if four else make(shape)
    functional = torch.nn.functional
    if op == "relu":
        return lambda: torch.relu(x)
    if op == "add":
        y = image(shape) if four else make(shape)
        return lambda: x + y
    if op.startswith("batch norm"):
        weight, bias, mean, variance = (torch.full((shape[3],), value, device=x.device) for value in (1.2, -0.3, 0.1, 0.8))
        training = op != "batch norm"
        return lambda: functional.batch_norm(x, mean, variance, weight, bias, training, 0.1, 1e-5)
    if op == "max pool":
        return lambda: functional.max_pool2d(x, 3, 2, 1)
    if op == "average pool":
        return lambda: x.mean((2, 3))
    if op == "softmax":
        return lambda: torch.softmax(x, 1)
    if op == "sgd update":
        weight = torch.nn.Parameter(x)
        weight.grad = make(shape)
        optimizer = torch.optim.SGD([weight], lr=0.01, momentum=0.9)
        return optimizer.step
    raise ValueError(f"no memory case '{op}'")


def model_step(case, workload, device, dtype):
    """A function that runs one iteration: images from the host, the result back to it, as the bench's engines do."""
    if "torchvision._meta_registrations" not in sys.modules:
        # Some builds of torchvision lack compiled operators that nothing here needs.
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError):
            for name in [each for each in sys.modules if each.startswith("torchvision")]:
                del sys.modules[name]
            sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import torchvision

    torch.manual_seed(1)
    network = getattr(torchvision.models, f"resnet{case['depth']}")(weights=None).to(device).to(memory_format=torch.channels_last)
    pixels = torch.rand((case["batch"], 3, case["size"], case["size"])).to(memory_format=torch.channels_last)
    labels = torch.tensor([(37 * i + 11) % 1000 for i in range(case["batch"])], device=device)
    mixed = torch.autocast(device.type, dtype=torch.float16, enabled=dtype == torch.float16)
    network.train(workload == "full")
    if workload == "forward":
        network.eval().to(dtype)

        def forward():
            with torch.inference_mode():
                return network(pixels.to(device, dtype)).cpu()

        return forward
    head = network.fc
    network.fc = torch.nn.Identity()
    parameters = list(head.parameters()) + (list(network.parameters()) if workload == "full" else [])
    optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    with torch.no_grad():
        kept = network(pixels.to(device)).cpu() if workload == "cached" else None

    def step():
        optimizer.zero_grad(set_to_none=True)
        with mixed:
            if workload == "full":
                features = network(pixels.to(device))
            elif workload == "head":
                with torch.no_grad():
                    features = network(pixels.to(device))
            else:
                features = kept.to(device)
            loss = torch.nn.functional.cross_entropy(head(features), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
