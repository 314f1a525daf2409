"""Weights and inputs made by formula, `graft-seeded-1`: the same bits as src/weights/seeded.ts, which explains it."""

import math

import numpy as np

FORMULA = "graft-seeded-1"


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def mix(x):
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def seeded_values(name, count, seed, scale, offset=0.0):
    """`count` float32 values in [offset - scale, offset + scale)."""
    key = np.uint32(fnv1a(name) ^ seed)
    bits = mix(mix(np.arange(count, dtype=np.uint32)) ^ key) >> np.uint32(8)
    u = bits.astype(np.float64) / 8388608.0 - 1.0
    return (float(np.float32(offset)) + float(np.float32(scale)) * u).astype(np.float32)


def seeded_inputs(shape, seed):
    """Network inputs: uniform, mean 0, variance 1."""
    return seeded_values("inputs", math.prod(shape), seed, math.sqrt(3.0)).reshape(shape)


def seeded_state_dict(shapes, seed):
    """A state dict (name to array) from names and shapes."""
    state = {}
    for name, shape in shapes.items():
        shape = tuple(shape)
        if name.endswith("num_batches_tracked"):
            state[name] = np.zeros(shape, np.int64)
        else:
            scale, offset = _range(name, shape, shapes)
            state[name] = seeded_values(name, math.prod(shape), seed, scale, offset).reshape(shape)
    return state


def _range(name, shape, shapes):
    if name.endswith("running_mean"):
        return 0.1, 0.0
    if name.endswith("running_var"):
        return 0.5, 1.0
    if len(shape) >= 2:
        return math.sqrt((1.0 if len(shape) == 2 else 6.0) / max(1, math.prod(shape[1:]))), 0.0
    if len(shape) == 1 and name.endswith("weight"):
        is_last = name.endswith("bn3.weight") or (
            name.endswith("bn2.weight") and name.removesuffix("bn2.weight") + "bn3.weight" not in shapes
        )
        return (0.1, 0.2) if is_last else (0.5, 1.0)
    return 0.1, 0.0
