/**
 * Writes ResNet-18 as an ONNX file: the few messages of onnx.proto that it takes, in protobuf's wire format. Batch norms
 * stay nodes of their own, so that the runtime does its own fusing.
 */
import { EPSILON, trunk } from './resnet18.mjs';

const OPSET = 17;
const IR_VERSION = 8;
const FLOAT = 1;

/** The model's bytes. `state`: F32 host tensors by torchvision's names. Input `image` NCHW, output `logits`. */
export function resnet18Onnx(state, inputShape, classes) {
  const nodes = [];
  const used = new Set();
  const weight = (name) => {
    used.add(name);
    return name;
  };
  const node = (type, inputs, attributes = {}, output = `${type}_${nodes.length}`) => {
    nodes.push(bytes(1, [
      ...inputs.map((name) => text(1, name)), text(2, output), text(3, output), text(4, type),
      ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    ]));
    return output;
  };
  const ops = {
    convNorm(x, conv, norm, { stride, padding, residual, relu }) {
      const kernel = state.get(`${conv}.weight`).shape.slice(2);
      const y = node('Conv', [x, weight(`${conv}.weight`)], { kernel_shape: kernel, strides: [stride, stride], pads: Array(4).fill(padding) });
      const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => weight(`${norm}.${part}`));
      const normed = node('BatchNormalization', [y, ...parts], { epsilon: EPSILON });
      const sum = residual ? node('Add', [normed, residual]) : normed;
      return relu ? node('Relu', [sum]) : sum;
    },
    maxPool: (x) => node('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    pool: (x) => node('Flatten', [node('GlobalAveragePool', [x])]),
  };
  const features = trunk(ops, 'image');
  node('Gemm', [features, weight('fc.weight'), weight('fc.bias')], { transB: 1 }, 'logits');
  const graph = bytes(7, [
    ...nodes, text(2, 'resnet18'), ...[...used].map((name) => initializer(name, state.get(name))),
    valueInfo(11, 'image', inputShape), valueInfo(12, 'logits', [inputShape[0], classes]),
  ]);
  return Buffer.concat([integer(1, IR_VERSION), text(2, 'graft bench'), graph, bytes(8, [text(1, ''), integer(2, OPSET)])]);
}

/** TensorProto in GraphProto.initializer. */
function initializer(name, { shape, data }) {
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes(5, [...shape.map((size) => integer(1, size)), integer(2, FLOAT), text(8, name), bytes(9, [raw])]);
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

function varint(value) {
  const out = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return Buffer.from([...out, rest]);
}

function integer(field, value) {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function float(field, value) {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return Buffer.concat([varint(field * 8 + 5), content]);
}

function bytes(field, parts) {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

function text(field, value) {
  return bytes(field, [Buffer.from(value)]);
}
