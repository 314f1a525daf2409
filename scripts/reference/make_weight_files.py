"""Writes the small weight files of test/fixtures-weights/ with PyTorch and the safetensors package themselves.

    python scripts/reference/make_weight_files.py

Each file has its expected content in expected.json: name -> [dtype, shape, values], non-finite values as text.
Needs torch, numpy and safetensors. Hostile files are made by hand and never loaded.
"""

import collections
import io
import json
import math
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures-weights"
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}
expected = {}


def describe(state):
    def plain(value):
        # JavaScript's spelling, which Number() reads.
        return value if math.isfinite(value) else str(value).replace("nan", "NaN").replace("inf", "Infinity")

    return {
        name: [NAMES[t.dtype], list(t.shape), [plain(v) for v in t.detach().double().flatten().tolist()] if t.dtype.is_floating_point
               else [int(v) for v in t.flatten().tolist()]]
        for name, t in state.items()
    }


def save(name, value, state=None, **options):
    torch.save(value, OUT / name, **options)
    if state is not None:
        expected[name] = describe(state)


def every_dtype():
    g = torch.Generator().manual_seed(1)
    state = {}
    for dtype, name in NAMES.items():
        values = torch.randint(0, 2, (2, 3), generator=g) if dtype in (torch.bool, torch.uint8) else torch.randint(-100, 100, (2, 3), generator=g)
        state[name] = (values / 8 if dtype.is_floating_point else values).to(dtype)
    state["scalar"] = torch.tensor(3.25)
    state["empty"] = torch.zeros(0, 4)
    state["odd values"] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
    state["0"] = torch.tensor([2**53 + 2, -(2**40)])
    return state


def layouts():
    base = torch.arange(60, dtype=torch.float32)
    image = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    return {
        "transposed": base[:12].reshape(3, 4).t(),
        "channels_last": image.contiguous(memory_format=torch.channels_last),
        "sliced": base.reshape(6, 10)[1:5:2, 2:9:3],
        "offset": base[17:23],
        "shared.a": base[:10],
        "shared.b": base[5:15],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 4),
        "expanded scalar": torch.tensor(7.0).expand(3, 2),
        "diagonal": base[:25].reshape(5, 5).diagonal(),
        "halves": image.half().permute(3, 0, 2, 1),
        "longs": torch.arange(12).reshape(3, 4).t(),
        "bytes": torch.arange(12, dtype=torch.uint8).reshape(3, 4).t(),
        "empty slice": base[60:].reshape(0, 3),
    }


class OldParameterPickler(pickle._Pickler):
    """Writes a tensor as PyTorch 0.2 wrote a Parameter: the class, its data, and a three-part state."""

    storages = {}

    def persistent_id(self, obj):
        if isinstance(obj, torch.storage.TypedStorage):
            self.storages["1"] = obj
            return ("storage", torch.FloatStorage, "1", "cpu", obj.size(), None)
        return None

    def reducer_override(self, obj):
        if isinstance(obj, torch.nn.Parameter):
            return torch.nn.Parameter, (obj.data,), (True, False, collections.OrderedDict())
        if isinstance(obj, torch.Tensor):
            return torch._utils._rebuild_tensor, (obj._typed_storage(), 0, tuple(obj.shape), obj.stride())
        return NotImplemented

    # The Python pickler asks for this only through dispatch of its C counterpart.
    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, torch.Tensor):
            reduced = self.reducer_override(obj)
            return self.save_reduce(*reduced, obj=obj)
        return super().save(obj, save_persistent_id)


def old_parameter(path):
    state = collections.OrderedDict(weight=torch.nn.Parameter(torch.arange(4, dtype=torch.float32) / 4))
    out = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(value, out, protocol=2)
    pickler = OldParameterPickler(out, protocol=2)
    pickler.dump(state)
    pickle.dump(["1"], out, protocol=2)
    out.write(struct.pack("<q", 4) + struct.pack("<4f", 0, 0.25, 0.5, 0.75))
    path.write_bytes(out.getvalue())
    loaded = torch.load(path, weights_only=True)
    assert torch.equal(loaded["weight"], state["weight"]), "PyTorch reads its own old format"
    expected[path.name] = describe(state)


class Call:
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def hostile(path):
    """A checkpoint whose pickle would run a command, were it executed."""
    import os

    payload = pickle.dumps({"state_dict": Call(os.system, "echo executed > graft-was-here")}, protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (("archive/data.pkl", payload), ("archive/version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(name), data)


def repacked(source, path, **changes):
    """The archive as a zip tool packs it again: deflated, or with entries replaced."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            tail = info.filename.split("/", 1)[1]
            data = changes.get(tail, old.read(info.filename))
            if callable(data):
                data = data(old.read(info.filename))
            fresh = zipfile.ZipInfo(info.filename)
            fresh.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(fresh, data)


def shapes():
    """Convolutions and classifiers of torchvision's networks: what tells them apart."""
    import types

    # A CPU build of torch may lack the operators that this module registers; the models need none of them.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    from torchvision import models

    networks = {}
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2"):
        with torch.device("meta"):
            state = getattr(models, name)().state_dict()
        networks[name] = {key: list(value.shape) for key, value in state.items() if value.dim() > 1}
    (OUT / "shapes.json").write_text(json.dumps(networks, separators=(",", ":")) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    state = every_dtype()
    save("dtypes.pth", state, state)
    save("dtypes-legacy.pth", state, state, _use_new_zipfile_serialization=False)
    save_file(state, str(OUT / "dtypes.safetensors"), metadata={"format": "pt", "note": "ü"})
    expected["dtypes.safetensors"] = describe(state)
    save("layouts.pt", layouts(), layouts())
    save("layouts-legacy.pt", layouts(), layouts(), _use_new_zipfile_serialization=False)

    model = torch.nn.Sequential(collections.OrderedDict(conv=torch.nn.Conv2d(1, 2, 3), bn=torch.nn.BatchNorm2d(2)))
    torch.manual_seed(3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    sd = model.state_dict()
    plain = {k: v.clone() for k, v in sd.items()}
    save("state-dict.pth", sd, plain)
    save("parameters.pth", model.state_dict(keep_vars=True), plain)
    for protocol in (1, 3, 4, 5):
        save(f"protocol{protocol}.pth", sd, plain, pickle_protocol=protocol)
    save("protocol4-legacy.pth", sd, plain, pickle_protocol=4, _use_new_zipfile_serialization=False)

    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 1, 5, 5)).sum().backward()
    optimizer.step()
    plain = {k: v.clone() for k, v in model.state_dict().items()}
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    checkpoint = {
        "epoch": 7, "best": 0.5, "big": 10**18, "name": "naïve", "sizes": model.conv.weight.shape, "dtype": torch.float32,
        "device": torch.device("cpu"), "tags": {"a", "b"}, "state_dict": model.state_dict(), "state_dict_ema": model.state_dict(),
        "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
    }
    save("checkpoint.pth", checkpoint, plain)
    save("checkpoint-legacy.pth", checkpoint, plain, _use_new_zipfile_serialization=False)
    save("nested.pth", {"model": {"model_state_dict": {"module." + k: v for k, v in model.state_dict().items()}}},
         {"module." + k: v for k, v in plain.items()})
    save("unknown-wrapper.pth", {"epoch": 1, "trunk": model.state_dict()}, plain)
    save("mixed.pth", {**model.state_dict(), "step": 3, "extra": {"a": 1}}, plain)
    save("two-models.pth", {"student": model.state_dict(), "teacher": model.state_dict()})
    save("one-tensor.pth", torch.zeros(3))
    save("whole-model.pth", model)
    save("optimizer-only.pth", {"optimizer": optimizer.state_dict()})
    old_parameter(OUT / "old-parameter.pth")

    repacked(OUT / "layouts.pt", OUT / "deflated.pt")
    expected["deflated.pt"] = expected["layouts.pt"]
    ordered = list(state.values())

    def swap(index):
        size = ordered[index].element_size()
        return lambda data: b"".join(data[i:i + size][::-1] for i in range(0, len(data), size))

    repacked(OUT / "dtypes.pth", OUT / "big-endian.pth", byteorder=b"big", **{f"data/{i}": swap(i) for i in range(len(ordered))})
    expected["big-endian.pth"] = expected["dtypes.pth"]
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), str(OUT / "torchscript.pt"))
    hostile(OUT / "hostile.pth")
    shapes()
    (OUT / "expected.json").write_text(json.dumps({"source": f"torch {torch.__version__.split('+')[0]}", "files": expected}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
