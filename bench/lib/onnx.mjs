/**
 * Writes ONNX files: the few messages of onnx.proto that networks and single operations take, in protobuf's wire format.
 * Batch norms stay nodes of their own, so that the runtime does its own fusing.
 */
import { EPSILON, trunk } from './resnet.mjs';

const OPSET = 17;
const IR_VERSION = 8;
const [FLOAT, INT64] = [1, 7];

/** A graph as it grows: nodes in order, constants by name. */
class Graph {
  #nodes = [];
  #constants = new Map();

  /** Adds a node and returns the name of its output. */
  node(type, inputs, attributes = {}, output = `${type}_${this.#nodes.length}`) {
    this.#nodes.push(bytes(1, [
      ...inputs.map((name) => text(1, name)), text(2, output), text(3, output), text(4, type),
      ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    ]));
    return output;
  }

  /** A constant of float32, or of int64 where `data` is a list. */
  constant(name, shape, data) {
    this.#constants.set(name, initializer(name, { shape, data }));
    return name;
  }

  /** The file. `inputs` and `outputs`: shapes by name, all float32. */
  file(inputs, outputs) {
    const infos = (field, shapes) => Object.entries(shapes).map(([name, shape]) => valueInfo(field, name, shape));
    const graph = bytes(7, [...this.#nodes, text(2, 'graph'), ...this.#constants.values(), ...infos(11, inputs), ...infos(12, outputs)]);
    return joined([integer(1, IR_VERSION), text(2, 'graft bench'), graph, bytes(8, [text(1, ''), integer(2, OPSET)])]);
  }
}

/** A ResNet. `state`: F32 host tensors by torchvision's names. Input `image` NCHW, output `logits`. */
export function resnetOnnx(depth, state, inputShape, classes) {
  const graph = new Graph();
  const weight = (name) => graph.constant(name, state.get(name).shape, state.get(name).data);
  const features = trunk(depth, {
    convNorm(x, conv, norm, { stride, padding, residual, relu }) {
      const kernel = state.get(`${conv}.weight`).shape.slice(2);
      const y = graph.node('Conv', [x, weight(`${conv}.weight`)], { kernel_shape: kernel, strides: [stride, stride], pads: Array(4).fill(padding) });
      const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => weight(`${norm}.${part}`));
      const normed = graph.node('BatchNormalization', [y, ...parts], { epsilon: EPSILON });
      const sum = residual ? graph.node('Add', [normed, residual]) : normed;
      return relu ? graph.node('Relu', [sum]) : sum;
    },
    maxPool: (x) => graph.node('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    pool: (x) => graph.node('Flatten', [graph.node('GlobalAveragePool', [x])]),
  }, 'image');
  graph.node('Gemm', [features, weight('fc.weight'), weight('fc.bias')], { transB: 1 }, 'logits');
  return graph.file({ image: inputShape }, { logits: [inputShape[0], classes] });
}

/**
 * One kernel case. Its operands are constants, so that they stay on the device; the input `zero`, added to the first,
 * keeps the result from being computed while loading. `out` is the result, `end` one element of it: who only wants the
 * work done asks for that. Convolutions stand between transpositions from and to channels last, which is what the
 * WebGPU provider computes in: it takes them away with the ones it would add itself.
 */
export function kernelOnnx(item, { first, second }) {
  const graph = new Graph();
  const a = graph.node('Add', [graph.constant('first', first.shape, first.data), 'zero']);
  const b = graph.constant('second', second.shape, second.data);
  if (item.kind === 'matmul') graph.node('MatMul', [a, b], {}, 'out');
  else {
    const [kh, kw] = item.weight;
    const x = graph.node('Transpose', [a], { perm: [0, 3, 1, 2] });
    const y = graph.node('Conv', [x, b], { kernel_shape: [kh, kw], strides: [item.stride, item.stride], pads: Array(4).fill(item.padding) });
    graph.node('Transpose', [y], { perm: [0, 2, 3, 1] }, 'out');
  }
  const rank = item.out.length;
  const list = (name, value) => graph.constant(name, [rank], Array(rank).fill(value));
  graph.node('Slice', ['out', list('starts', 0), list('ends', 1)], {}, 'end');
  return graph.file({ zero: [1] }, { out: item.out, end: Array(rank).fill(1) });
}

/** TensorProto in GraphProto.initializer. */
function initializer(name, { shape, data }) {
  const values = Array.isArray(data) ? BigInt64Array.from(data, BigInt) : data;
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return bytes(5, [...shape.map((size) => integer(1, size)), integer(2, values === data ? FLOAT : INT64), text(8, name), bytes(9, [raw])]);
}

/** AttributeProto in NodeProto.attribute: a list of integers, an integer, or a float. */
function attribute(name, value) {
  const content = Array.isArray(value)
    ? [...value.map((item) => integer(8, item)), integer(20, 7)]
    : Number.isInteger(value) ? [integer(3, value), integer(20, 2)] : [float(2, value), integer(20, 1)];
  return bytes(5, [text(1, name), ...content]);
}

/** ValueInfoProto of a float tensor of fixed shape. */
function valueInfo(field, name, shape) {
  const dimensions = bytes(2, shape.map((size) => bytes(1, [integer(1, size)])));
  return bytes(field, [text(1, name), bytes(2, [bytes(1, [integer(1, FLOAT), dimensions])])]);
}

// Protobuf's wire format: a key (field number and wire type), then the value.

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varint(value) {
  const out = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return Uint8Array.from([...out, rest]);
}

function integer(field, value) {
  return joined([varint(field * 8), varint(value)]);
}

function float(field, value) {
  const content = new Uint8Array(4);
  new DataView(content.buffer).setFloat32(0, value, true);
  return joined([varint(field * 8 + 5), content]);
}

function bytes(field, parts) {
  const content = joined(parts);
  return joined([varint(field * 8 + 2), varint(content.length), content]);
}

function text(field, value) {
  return bytes(field, [new TextEncoder().encode(value)]);
}
