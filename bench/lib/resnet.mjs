/**
 * ResNets (He et al., 2016) as torchvision defines them, once for every engine that has no model of its own: names,
 * shapes and the order of operations, over whatever tensors and operations the caller brings. Over bare shapes it
 * tells the convolutions, the activations and the operations of a forward pass.
 */

export const CLASSES = 1000;
export const EPSILON = 1e-5;
const STAGES = [64, 128, 256, 512];
const DEPTHS = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3] };

/** Depths that there are. */
export const KNOWN_DEPTHS = Object.keys(DEPTHS).map(Number);

/** Block by block: its name, the channels it takes and gives, its inner width, and the stride of its 3x3. */
function blocksOf(depth) {
  const bottleneck = depth >= 50;
  let from = STAGES[0];
  return DEPTHS[depth].flatMap((count, stage) =>
    Array.from({ length: count }, (_, i) => {
      const [width, stride] = [STAGES[stage], i === 0 && stage > 0 ? 2 : 1];
      const out = bottleneck ? 4 * width : width;
      const block = { name: `layer${stage + 1}.${i}`, bottleneck, from, width, out, stride, downsample: stride !== 1 || from !== out };
      from = out;
      return block;
    }),
  );
}

/** Length of the pooled features. */
export function featuresOf(depth) {
  return depth >= 50 ? 2048 : 512;
}

/** Parameters and statistics: PyTorch's shapes by torchvision's names. */
export function shapesOf(depth, classes = CLASSES) {
  const all = new Map();
  const unit = (conv, norm, out, from, kernel) => {
    all.set(`${conv}.weight`, [out, from, kernel, kernel]);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) all.set(`${norm}.${part}`, [out]);
    all.set(`${norm}.num_batches_tracked`, []);
  };
  unit('conv1', 'bn1', 64, 3, 7);
  for (const { name, bottleneck, from, width, out, downsample } of blocksOf(depth)) {
    if (bottleneck) {
      unit(`${name}.conv1`, `${name}.bn1`, width, from, 1);
      unit(`${name}.conv2`, `${name}.bn2`, width, width, 3);
      unit(`${name}.conv3`, `${name}.bn3`, out, width, 1);
    } else {
      unit(`${name}.conv1`, `${name}.bn1`, width, from, 3);
      unit(`${name}.conv2`, `${name}.bn2`, out, width, 3);
    }
    if (downsample) unit(`${name}.downsample.0`, `${name}.downsample.1`, out, from, 1);
  }
  all.set('fc.weight', [classes, featuresOf(depth)]);
  all.set('fc.bias', [classes]);
  return all;
}

/**
 * The trunk: from images to pooled features. `ops` has
 *   convNorm(x, conv, norm, { stride, padding, residual, relu })  convolution, batch norm, plus the residual, ReLU
 *   maxPool(x)                                                     3x3, stride 2, padding 1
 *   pool(x)                                                        mean over height and width
 */
export function trunk(depth, ops, x) {
  let y = ops.maxPool(ops.convNorm(x, 'conv1', 'bn1', { stride: 2, padding: 3, relu: true }));
  for (const { name, bottleneck, stride, downsample } of blocksOf(depth)) {
    const residual = downsample ? ops.convNorm(y, `${name}.downsample.0`, `${name}.downsample.1`, { stride, padding: 0 }) : y;
    let z = bottleneck
      ? ops.convNorm(y, `${name}.conv1`, `${name}.bn1`, { stride: 1, padding: 0, relu: true })
      : ops.convNorm(y, `${name}.conv1`, `${name}.bn1`, { stride, padding: 1, relu: true });
    if (bottleneck) z = ops.convNorm(z, `${name}.conv2`, `${name}.bn2`, { stride, padding: 1, relu: true });
    const last = bottleneck ? 3 : 2;
    y = ops.convNorm(z, `${name}.conv${last}`, `${name}.bn${last}`, { stride: 1, padding: bottleneck ? 0 : 1, residual, relu: true });
  }
  return ops.pool(y);
}

/** The trunk over shapes: its convolutions in order, and the extents of every activation, [N, H, W, C]. */
export function traceTrunk(depth, batch, size) {
  const shapes = shapesOf(depth);
  const convs = [];
  const activations = [[batch, size, size, 3]];
  const note = (shape) => {
    activations.push(shape);
    return shape;
  };
  const half = (extent) => Math.floor((extent - 1) / 2) + 1;
  trunk(depth, {
    convNorm(x, conv, norm, { stride, padding }) {
      const [out, channels, kernel] = shapes.get(`${conv}.weight`);
      const extent = Math.floor((x[1] + 2 * padding - kernel) / stride) + 1;
      convs.push({ x, weight: [kernel, kernel, channels, out], stride, padding, out: [batch, extent, extent, out] });
      return note([batch, extent, extent, out]);
    },
    maxPool: ([n, h, w, c]) => note([n, half(h), half(w), c]),
    pool: ([n, , , c]) => note([n, 1, 1, c]),
  }, activations[0]);
  return { convs, activations };
}

/** Multiplications and additions of a convolution by the direct method, whichever of the three passes it is. */
export function convOperations({ weight: [kh, kw, channels], out }) {
  return 2 * out.reduce((a, b) => a * b) * kh * kw * channels;
}

/** Of a whole forward pass: convolutions and the last layer. */
export function forwardOperations(depth, batch, size, classes = CLASSES) {
  const { convs } = traceTrunk(depth, batch, size);
  return convs.reduce((sum, conv) => sum + convOperations(conv), 0) + 2 * batch * featuresOf(depth) * classes;
}

/**
 * What head tuning cannot do without, by the measure of docs/performance.md: the weights, 1.2 times the two largest
 * activations, and the head's gradient and momentum. In bytes.
 */
export function headTuningFloor(depth, batch, size, classes = CLASSES) {
  const bytes = (shape) => 4 * shape.reduce((a, b) => a * b, 1);
  const shapes = [...shapesOf(depth, classes)];
  const weights = shapes.reduce((sum, [, shape]) => sum + bytes(shape), 0);
  const [first, second] = traceTrunk(depth, batch, size).activations.map(bytes).sort((a, b) => b - a);
  const head = 2 * shapes.filter(([name]) => name.startsWith('fc.')).reduce((sum, [, shape]) => sum + bytes(shape), 0);
  return { weights, activations: [first, second], head, total: weights + 1.2 * (first + second) + head };
}
