"""The cases of the op fixtures, as data: what is odd about each is in its name."""

import itertools

import numpy as np

from seeded import seeded_values

SEED = 1
CASES = []


def case(identity, op, args, tensors, grads=None, nonfinite=False):
    """`tensors`: arrays, or (shape, scale, offset) for seeded values; `grads`: differentiated, default all floats."""
    arrays = {}
    for name, value in tensors.items():
        if isinstance(value, tuple):
            shape, scale, offset = value
            count = int(np.prod(shape, dtype=np.int64))
            value = seeded_values(f"{identity}.{name}", count, SEED, scale, offset).reshape(shape)
        arrays[name] = value
    entry = {"id": identity, "op": op, "args": args, "tensors": arrays, "nonfinite": nonfinite}
    CASES.append(entry if grads is None else entry | {"grads": grads})


def noise(*shape, scale=1.7, offset=0.0):
    return shape, scale, offset


def placed(values, shape, *special):
    """Seeded values with some elements (flat index, value) replaced."""
    array = seeded_values(values, int(np.prod(shape)), SEED, 1.7)
    for index, value in special:
        array[index] = value
    return array.reshape(shape)


def conv(identity, x, w, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, bias=False, grads=None,
         special=()):
    fan_in = w[1] * w[2] * w[3]
    tensors = {"input": placed(f"{identity}.input", x, *special), "weight": noise(*w, scale=(3 / fan_in) ** 0.5)}
    if bias:
        tensors["bias"] = noise(w[0], scale=0.5)
    args = {"stride": list(stride), "padding": list(padding), "dilation": list(dilation), "groups": groups}
    case(f"conv2d_{identity}", "conv2d", args, tensors, grads, bool(special))


conv("3x3_odd", (2, 5, 9, 11), (7, 5, 3, 3), padding=(1, 1))
conv("3x3_bias", (1, 16, 8, 8), (12, 16, 3, 3), padding=(1, 1), bias=True)
conv("3x3_valid_odd", (3, 7, 10, 5), (5, 7, 3, 3), bias=True)
conv("3x3_33_channels", (1, 33, 5, 5), (33, 33, 3, 3), padding=(1, 1), grads=["input"])
conv("33_to_16_channels", (2, 33, 5, 3), (16, 33, 3, 3), padding=(1, 1))
conv("one_channel", (2, 1, 12, 9), (1, 1, 3, 3), padding=(1, 1), bias=True)
conv("one_input_channel", (2, 1, 9, 9), (16, 1, 5, 5), padding=(2, 2))
conv("one_output_channel", (2, 12, 7, 8), (1, 12, 3, 3), padding=(1, 1), bias=True)
conv("stride2_odd", (2, 7, 13, 9), (12, 7, 3, 3), stride=(2, 2), padding=(1, 1))
conv("stride2_even", (2, 8, 8, 10), (16, 8, 3, 3), stride=(2, 2), padding=(1, 1))
conv("stride2_left_over", (1, 3, 12, 10), (5, 3, 3, 3), stride=(2, 2))
conv("stride2x1", (2, 5, 11, 7), (6, 5, 3, 3), stride=(2, 1), padding=(1, 1), bias=True)
conv("stride3_beyond_kernel", (1, 4, 11, 12), (4, 4, 2, 2), stride=(3, 3))
conv("1x3", (2, 5, 6, 9), (7, 5, 1, 3), padding=(0, 1))
conv("3x1", (2, 5, 9, 6), (7, 5, 3, 1), padding=(1, 0), bias=True)
conv("5x2", (1, 3, 11, 8), (8, 3, 5, 2), padding=(2, 1))
conv("5x2_stride1x2", (1, 3, 11, 9), (8, 3, 5, 2), stride=(1, 2), padding=(2, 0))
conv("even_kernel_4x4", (1, 6, 9, 9), (5, 6, 4, 4), stride=(2, 2), padding=(1, 1))
conv("1x1", (2, 16, 7, 7), (33, 16, 1, 1))
conv("1x1_bias_one_pixel", (3, 33, 1, 1), (10, 33, 1, 1), bias=True)
conv("1x1_stride2", (2, 12, 9, 7), (16, 12, 1, 1), stride=(2, 2))
conv("1x1_padding2", (1, 3, 4, 5), (4, 3, 1, 1), padding=(2, 2), bias=True)
conv("stem_7x7", (1, 3, 23, 21), (16, 3, 7, 7), stride=(2, 2), padding=(3, 3))
conv("stem_7x7_even", (2, 3, 16, 20), (8, 3, 7, 7), stride=(2, 2), padding=(3, 3), bias=True)
conv("padding_beyond_need", (1, 5, 5, 4), (6, 5, 3, 3), padding=(4, 3), bias=True)
conv("input_smaller_than_kernel", (2, 5, 2, 3), (7, 5, 5, 5), padding=(2, 2))
conv("one_pixel_3x3", (1, 16, 1, 1), (16, 16, 3, 3), padding=(1, 1))
conv("kernel_covers_input", (2, 6, 5, 4), (9, 6, 5, 4), bias=True)
conv("row_image", (2, 7, 1, 37), (5, 7, 1, 5), padding=(0, 2))
conv("batch3_tiles", (3, 5, 11, 9), (17, 5, 3, 3), padding=(1, 1))
conv("dilation2", (1, 5, 11, 10), (7, 5, 3, 3), padding=(2, 2), dilation=(2, 2))
conv("dilation2x3_stride2", (2, 3, 15, 17), (4, 3, 3, 3), stride=(2, 2), padding=(2, 3), dilation=(2, 3), bias=True)
conv("groups2", (2, 6, 7, 9), (10, 3, 3, 3), padding=(1, 1), groups=2, bias=True)
conv("groups3_stride2", (2, 12, 9, 8), (15, 4, 3, 3), stride=(2, 2), padding=(1, 1), groups=3)
conv("groups4_dilation2", (1, 16, 9, 9), (8, 4, 3, 3), padding=(2, 2), dilation=(2, 2), groups=4)
conv("groups_1x1", (2, 12, 5, 7), (16, 3, 1, 1), groups=4)
conv("groups32_resnext", (1, 64, 5, 6), (64, 2, 3, 3), padding=(1, 1), groups=32)
conv("depthwise", (2, 7, 9, 10), (7, 1, 3, 3), padding=(1, 1), groups=7, bias=True)
conv("depthwise_stride2", (1, 16, 11, 9), (16, 1, 3, 3), stride=(2, 2), padding=(1, 1), groups=16)
conv("depthwise_multiplier2", (1, 5, 8, 7), (10, 1, 5, 5), padding=(2, 2), groups=5)
conv("frozen_weight", (2, 5, 9, 7), (8, 5, 3, 3), stride=(2, 2), padding=(1, 1), grads=["input"])
conv("frozen_input", (2, 5, 9, 7), (8, 5, 3, 3), padding=(1, 1), bias=True, grads=["weight", "bias"])
conv("forward_only", (1, 12, 14, 14), (24, 12, 3, 3), padding=(1, 1), grads=[])
conv("nan", (2, 5, 7, 6), (7, 5, 3, 3), padding=(1, 1), bias=True, special=[(17, np.nan)])
conv("infinity", (1, 5, 9, 8), (6, 5, 3, 3), stride=(2, 2), padding=(1, 1), special=[(40, np.inf), (200, -np.inf)])
conv("1x1_nan_infinity", (2, 6, 5, 5), (5, 6, 1, 1), special=[(3, np.nan), (31, np.inf), (180, -np.inf)])


def linear(identity, leading, features, out, bias=True, grads=None):
    tensors = {"input": noise(*leading, features), "weight": noise(out, features, scale=features ** -0.5)}
    if bias:
        tensors["bias"] = noise(out, scale=0.5)
    case(f"linear_{identity}", "linear", {}, tensors, grads)


linear("bias", (4,), 16, 8)
linear("no_bias_odd", (5,), 13, 7, bias=False)
linear("one_row", (1,), 65, 10)
linear("one_row_1000_classes", (1,), 9, 1000, grads=["input", "bias"])
linear("one_feature", (3,), 1, 5)
linear("one_output", (9,), 33, 1)
linear("tiles_33x65x31", (33,), 65, 31)
linear("three_dimensions", (2, 3), 9, 6)
linear("four_dimensions", (2, 3, 2), 7, 5, bias=False)
linear("vector", (), 7, 5)
linear("frozen_input", (6,), 20, 11, grads=["weight", "bias"])


def matmul(identity, batch, m, k, n, grads=None):
    tensors = {"input": noise(*batch, m, k), "other": noise(*batch, k, n, scale=k ** -0.5)}
    case(f"matmul_{identity}", "matmul", {}, tensors, grads)


matmul("1x1x1", (), 1, 1, 1)
matmul("7x9x8", (), 7, 9, 8)
matmul("8x8x8", (), 8, 8, 8)
matmul("31x33x32", (), 31, 33, 32)
matmul("63x5x65", (), 63, 5, 65, grads=["input"])
matmul("64x32x64", (), 64, 32, 64, grads=["other"])
matmul("65x17x9", (), 65, 17, 9)
matmul("1x129x3", (), 1, 129, 3)
matmul("outer_37x1x41", (), 37, 1, 41)
matmul("deep_3x515x4", (), 3, 515, 4)
matmul("batch3", (3,), 5, 7, 6)
matmul("batch2x3", (2, 3), 9, 4, 11)
matmul("batch1", (1,), 33, 8, 31)


def pool(op, identity, x, kernel, stride, padding=(0, 0), grads=None, array=None, nonfinite=False, **more):
    args = {"kernel_size": list(kernel), "stride": list(stride), "padding": list(padding)} | more
    tensors = {"input": noise(*x) if array is None else array}
    case(f"{op}_{identity}", op, args, tensors, grads, nonfinite)


def max_pool(identity, *shape, ceil_mode=False, **more):
    pool("max_pool2d", identity, *shape, ceil_mode=ceil_mode, **more)


def relu_like(name, shape):
    """Half of it zeros: windows whose maximum occurs more than once. The gradient goes to the first, row by row."""
    return np.maximum(placed(name, shape), 0).astype(np.float32)


max_pool("2x2", (2, 5, 8, 6), (2, 2), (2, 2))
max_pool("stem_3x3_stride2", (2, 7, 11, 13), (3, 3), (2, 2), (1, 1))
max_pool("overlapping_stride1", (1, 3, 7, 6), (3, 3), (1, 1), (1, 1))
max_pool("ceil_mode", (2, 3, 8, 7), (3, 3), (2, 2), ceil_mode=True)
max_pool("ceil_mode_padding", (1, 5, 6, 8), (3, 3), (2, 2), (1, 1), ceil_mode=True)
max_pool("floor_left_over", (1, 4, 9, 10), (2, 2), (2, 2))
max_pool("asymmetric", (2, 3, 9, 8), (3, 2), (1, 2), (1, 0))
max_pool("stride_beyond_kernel", (1, 3, 10, 11), (2, 2), (3, 3))
max_pool("one_channel", (3, 1, 5, 5), (5, 5), (1, 1))
max_pool("negative_only", (2, 3, 5, 7), (3, 3), (2, 2), (1, 1),
         array=-np.abs(placed("max_pool2d_negative_only", (2, 3, 5, 7))) - np.float32(0.1))
max_pool("ties", (2, 4, 9, 9), (3, 3), (2, 2), (1, 1), array=relu_like("max_pool2d_ties", (2, 4, 9, 9)))
max_pool("nan", (1, 3, 7, 7), (3, 3), (2, 2), (1, 1), nonfinite=True,
         array=placed("max_pool2d_nan", (1, 3, 7, 7), (24, np.nan), (110, np.nan)))
max_pool("infinity", (1, 2, 6, 6), (2, 2), (2, 2), nonfinite=True,
         array=placed("max_pool2d_infinity", (1, 2, 6, 6), (0, np.inf), *((i, -np.inf) for i in (2, 3, 8, 9, 40))))


def avg_pool(identity, *shape, count_include_pad=True, **more):
    pool("avg_pool2d", identity, *shape, count_include_pad=count_include_pad, **more)


avg_pool("2x2", (2, 5, 8, 6), (2, 2), (2, 2))
avg_pool("padding_counted", (2, 3, 7, 9), (3, 3), (2, 2), (1, 1))
avg_pool("padding_not_counted", (2, 3, 7, 9), (3, 3), (2, 2), (1, 1), count_include_pad=False)
avg_pool("overlapping", (1, 7, 6, 5), (3, 3), (1, 1), (1, 1), count_include_pad=False)
avg_pool("asymmetric", (2, 3, 9, 8), (3, 1), (2, 1), (1, 0))
avg_pool("stride_beyond_kernel", (1, 5, 10, 11), (2, 2), (3, 3))
avg_pool("whole_image", (3, 1, 5, 7), (5, 7), (1, 1))
avg_pool("nan_infinity", (1, 3, 6, 6), (2, 2), (2, 2), nonfinite=True,
         array=placed("avg_pool2d_nan_infinity", (1, 3, 6, 6), (7, np.nan), (40, np.inf), (80, -np.inf)))

for name, shape, size in [
    ("global", (2, 33, 7, 5), (1, 1)), ("global_one_channel", (3, 1, 6, 6), (1, 1)),
    ("global_one_pixel", (2, 5, 1, 1), (1, 1)), ("7x7_from_13x11", (1, 5, 13, 11), (7, 7)),
    ("upsampling", (2, 3, 3, 4), (7, 7)), ("3x5_from_8x8", (2, 4, 8, 8), (3, 5)), ("same_size", (1, 3, 4, 5), (4, 5)),
]:
    case(f"adaptive_avg_pool2d_{name}", "adaptive_avg_pool2d", {"output_size": list(size)}, {"input": noise(*shape)})


def batch_norm(identity, shape, training, offset=0.0, scale=1.7, affine=True, momentum=0.1, eps=1e-5, grads=None,
               special=None, near=(0.0, 1.0), relu=False, residual=False):
    channels = shape[1]
    name = f"batch_norm_{identity}"
    tensors = {"input": noise(*shape, scale=scale, offset=offset) if special is None else placed(name, shape, *special),
               "running_mean": noise(channels, scale=0.5, offset=near[0]),
               "running_var": noise(channels, scale=0.5 * near[1], offset=near[1])}
    if affine:
        tensors |= {"weight": noise(channels, scale=0.5, offset=1.0), "bias": noise(channels, scale=0.5)}
    if residual:
        tensors["residual"] = noise(*shape, scale=1.3)
    args = {"training": training, "momentum": momentum, "eps": eps} | ({"relu": True} if relu else {})
    case(name, "batch_norm", args, tensors, grads, special is not None)


for mode, training in (("training", True), ("eval", False)):
    batch_norm(mode, (4, 8, 6, 6), training)
    batch_norm(f"{mode}_odd", (3, 13, 5, 7), training)
    batch_norm(f"{mode}_one_channel", (2, 1, 9, 4), training)
    batch_norm(f"{mode}_33_channels", (2, 33, 5, 7), training)
    batch_norm(f"{mode}_offset_100", (4, 5, 7, 6), training, offset=100.0, near=(99.0, 1.0))
    batch_norm(f"{mode}_no_affine", (2, 6, 5, 5), training, affine=False)
    batch_norm(f"{mode}_two_dimensions", (9, 7), training)
    batch_norm(f"{mode}_nan", (2, 4, 3, 5), training, special=[(17, np.nan)])
    batch_norm(f"{mode}_relu", (3, 8, 6, 5), training, relu=True)
    batch_norm(f"{mode}_relu_odd", (3, 7, 6, 5), training, relu=True)
    batch_norm(f"{mode}_residual", (3, 8, 6, 5), training, residual=True)
    batch_norm(f"{mode}_residual_relu", (3, 8, 6, 5), training, residual=True, relu=True)
    batch_norm(f"{mode}_residual_relu_odd", (2, 5, 7, 3), training, residual=True, relu=True)
    batch_norm(f"{mode}_residual_relu_nan", (2, 4, 3, 5), training, residual=True, relu=True, special=[(17, np.nan)])
    batch_norm(f"{mode}_residual_relu_frozen_affine", (2, 4, 5, 5), training, residual=True, relu=True,
               grads=["input", "residual"])
batch_norm("training_momentum", (2, 7, 5, 3), True, momentum=0.37, eps=1e-3)
batch_norm("training_two_values", (2, 16, 1, 1), True, eps=0.1)
batch_norm("training_large", (3, 6, 9, 9), True, scale=1000.0, offset=-300.0)
batch_norm("training_small", (3, 6, 9, 9), True, scale=0.01)
batch_norm("eval_frozen_affine", (2, 9, 5, 5), False, grads=["input"])
batch_norm("eval_frozen_input", (2, 9, 5, 5), False, grads=["weight", "bias"])


def layer_norm(identity, shape, affine=True, offset=0.0, eps=1e-5):
    features = shape[-1]
    tensors = {"input": noise(*shape, offset=offset)}
    if affine:
        tensors |= {"weight": noise(features, scale=0.5, offset=1.0), "bias": noise(features, scale=0.5)}
    case(f"layer_norm_{identity}", "layer_norm", {"eps": eps}, tensors)


layer_norm("rows", (6, 32))
layer_norm("odd", (2, 5, 37))
layer_norm("768", (3, 768))
layer_norm("four_dimensions", (2, 3, 4, 9), eps=1e-6)
layer_norm("offset_100", (5, 64), offset=100.0)
layer_norm("two_features", (7, 2), eps=0.1)
layer_norm("no_affine", (4, 19), affine=False)

EDGES = [0.0, -0.0, 1e-7, -1e-7, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0, 10.0, -10.0, 20.0, -20.0, 88.0, -88.0, 104.0, -104.0]
for op in ("relu", "sigmoid", "tanh", "gelu"):
    case(f"{op}_4d_odd", op, {}, {"input": noise(2, 5, 3, 7, scale=4.0)})
    case(f"{op}_vector", op, {}, {"input": noise(1031, scale=6.0)})
    case(f"{op}_one_element", op, {}, {"input": noise(1)})
    case(f"{op}_edges", op, {}, {"input": np.array(EDGES, np.float32)})
    # torch's float32 and float64 disagree on gelu at infinities and beyond 1e30: it has NaN alone.
    special = [1, np.nan, -2, 0.5, 3] if op == "gelu" else [1, np.nan, -2, np.inf, -np.inf, 0.5, 3]
    case(f"{op}_nan" if op == "gelu" else f"{op}_nan_infinity", op, {}, {"input": np.array(special, np.float32)},
         nonfinite=True)
    if op != "gelu":
        case(f"{op}_huge", op, {}, {"input": np.array([1e30, -1e30, 3e38, -3e38, 1.0], np.float32)})

BROADCASTS = {
    "same_shape": ((2, 5, 3, 7), (2, 5, 3, 7)), "vector": ((1027,), (1027,)), "scalar": ((3, 4, 5), ()),
    "scalar_first": ((), (2, 3)), "two_scalars": ((), ()), "one_element": ((2, 3, 5), (1,)),
    "one_element_4d": ((2, 3, 4, 5), (1, 1, 1, 1)), "channels": ((2, 7, 5, 3), (1, 7, 1, 1)),
    "channels_3d": ((2, 7, 5, 3), (7, 1, 1)), "last": ((2, 3, 4, 9), (9,)), "rows": ((2, 3, 4, 9), (4, 1)),
    "batch": ((3, 5, 4, 2), (3, 1, 1, 1)), "spatial": ((2, 6, 5, 7), (1, 1, 5, 7)),
    "squeeze_excite": ((2, 6, 5, 7), (2, 6, 1, 1)), "both_sides": ((3, 1), (1, 4)),
    "both_sides_4d": ((2, 1, 5, 1), (1, 3, 1, 4)), "first_missing_dimensions": ((5,), (2, 3, 5)),
    "first_smaller": ((1, 4, 1, 1), (2, 4, 3, 3)), "five_dimensions": ((2, 3, 2, 4, 5), (3, 1, 4, 1)),
    "five_dimensions_both": ((2, 1, 3, 1, 5), (1, 4, 1, 2, 1)), "alternating": ((3, 4, 5, 6), (3, 1, 5, 1)),
}
for op in ("add", "mul"):
    for name, (left, right) in BROADCASTS.items():
        case(f"{op}_{name}", op, {}, {"input": noise(*left), "other": noise(*right)})
    special = np.array([np.nan, np.inf, -np.inf, 1, 0, 2], np.float32)
    case(f"{op}_nan_infinity", op, {}, {"input": special, "other": special[[3, 4, 1, 0, 1, 5]]}, nonfinite=True)
case("add_frozen_other", "add", {}, {"input": noise(2, 3, 4), "other": noise(3, 1)}, grads=["input"])
case("mul_frozen_input", "mul", {}, {"input": noise(2, 3, 4), "other": noise(3, 1)}, grads=["other"])

for op in ("softmax", "log_softmax"):
    for dim in (0, 1, 2, 3, -1, -3):
        name = f"dim{dim}" if dim >= 0 else f"dim_minus{-dim}"
        case(f"{op}_{name}", op, {"dim": dim}, {"input": noise(3, 5, 4, 7, scale=3.0)})
    case(f"{op}_vector", op, {"dim": 0}, {"input": noise(37, scale=3.0)})
    case(f"{op}_1000_classes", op, {"dim": 1}, {"input": noise(3, 1000, scale=5.0)})
    case(f"{op}_one_class", op, {"dim": 1}, {"input": noise(4, 1)})
    case(f"{op}_large_logits", op, {"dim": 1}, {"input": noise(5, 9, scale=5.0, offset=1000.0)})
    case(f"{op}_huge_logits", op, {"dim": -1}, {"input": np.array([[1e30, -1e30, 5], [-3e38, -3e38, 0]], np.float32)})
    case(f"{op}_nan_row", op, {"dim": 1}, {"input": placed(op, (3, 5), (6, np.nan))}, nonfinite=True)
case("softmax_masked", "softmax", {"dim": 1}, {"input": placed("softmax_masked", (3, 5), (1, -np.inf), (9, -np.inf))})


def cross_entropy(identity, rows, classes, smoothing=0.0, scale=3.0, offset=0.0):
    target = (seeded_values(f"{identity}.target", rows, SEED, 0.5, 0.5) * np.float32(classes)).astype(np.int64)
    case(f"cross_entropy_{identity}", "cross_entropy", {"label_smoothing": smoothing},
         {"input": noise(rows, classes, scale=scale, offset=offset), "target": np.minimum(target, classes - 1)})


for name, smoothing in (("", 0.0), ("_smoothing", 0.1)):
    cross_entropy(f"10_classes{name}", 8, 10, smoothing)
    cross_entropy(f"1000_classes{name}", 5, 1000, smoothing)
    cross_entropy(f"2_classes{name}", 33, 2, smoothing)
    cross_entropy(f"one_row{name}", 1, 7, smoothing)
    cross_entropy(f"large_logits{name}", 6, 11, smoothing, scale=300.0, offset=500.0)
cross_entropy("257_rows", 257, 13)
cross_entropy("smoothing_half", 7, 5, 0.5)

case("mse_loss_2d", "mse_loss", {}, {"input": noise(5, 7), "target": noise(5, 7)})
case("mse_loss_vector_frozen_target", "mse_loss", {}, {"input": noise(1031), "target": noise(1031)}, grads=["input"])
case("mse_loss_4d", "mse_loss", {}, {"input": noise(2, 3, 5, 7), "target": noise(2, 3, 5, 7)})
case("mse_loss_one_element", "mse_loss", {}, {"input": noise(1), "target": noise(1)})
case("mse_loss_large", "mse_loss", {}, {"input": noise(9, 3, scale=1e4), "target": noise(9, 3, scale=1e4)})

DIMS = [dims for count in (1, 2, 3, 4) for dims in itertools.combinations(range(4), count)]
for dims in DIMS:
    for keepdim in (False, True):
        name = "mean_" + "".join(map(str, dims)) + ("_keepdim" if keepdim else "")
        case(name, "mean", {"dim": list(dims), "keepdim": keepdim}, {"input": noise(3, 5, 4, 7, offset=0.5)})
case("mean_negative_dims", "mean", {"dim": [-1, -2], "keepdim": False}, {"input": noise(2, 7, 5, 3)})
case("mean_vector", "mean", {"dim": [0], "keepdim": False}, {"input": noise(1031, offset=0.5)})
case("mean_long", "mean", {"dim": [1], "keepdim": False}, {"input": noise(2, 5003, offset=0.5)}, grads=[])
case("mean_nan", "mean", {"dim": [1], "keepdim": False}, {"input": placed("mean_nan", (3, 5), (6, np.nan))},
     nonfinite=True)
