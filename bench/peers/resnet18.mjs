/**
 * ResNet-18 (He et al., 2016) as torchvision defines it, once for every engine that has no model of its own: names,
 * shapes, and the order of operations, over whatever tensors and operations the caller brings.
 */

const STAGES = [64, 128, 256, 512];
export const CLASSES = 1000;
export const EPSILON = 1e-5;
export const FEATURES = 512;

const BLOCKS = STAGES.flatMap((channels, stage) =>
  [0, 1].map((i) => {
    const first = i === 0 && stage > 0;
    return { name: `layer${stage + 1}.${i}`, channels, from: first ? STAGES[stage - 1] : channels, stride: first ? 2 : 1, downsample: first };
  }),
);

/** Shapes in PyTorch's order by torchvision's names. */
export function shapes() {
  const all = new Map();
  const unit = (conv, norm, out, from, kernel) => {
    all.set(`${conv}.weight`, [out, from, kernel, kernel]);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) all.set(`${norm}.${part}`, [out]);
    all.set(`${norm}.num_batches_tracked`, []);
  };
  unit('conv1', 'bn1', 64, 3, 7);
  for (const { name, channels, from, downsample } of BLOCKS) {
    unit(`${name}.conv1`, `${name}.bn1`, channels, from, 3);
    unit(`${name}.conv2`, `${name}.bn2`, channels, channels, 3);
    if (downsample) unit(`${name}.downsample.0`, `${name}.downsample.1`, channels, from, 1);
  }
  all.set('fc.weight', [CLASSES, FEATURES]);
  all.set('fc.bias', [CLASSES]);
  return all;
}

/**
 * The trunk: from images to pooled features. `ops` has
 *   convNorm(x, conv, norm, { stride, padding, residual, relu })  convolution, batch norm, plus the residual, ReLU
 *   maxPool(x)                                                     3x3, stride 2, padding 1
 *   pool(x)                                                        mean over height and width
 */
export function trunk(ops, x) {
  let y = ops.maxPool(ops.convNorm(x, 'conv1', 'bn1', { stride: 2, padding: 3, relu: true }));
  for (const { name, stride, downsample } of BLOCKS) {
    const middle = ops.convNorm(y, `${name}.conv1`, `${name}.bn1`, { stride, padding: 1, relu: true });
    const residual = downsample ? ops.convNorm(y, `${name}.downsample.0`, `${name}.downsample.1`, { stride, padding: 0 }) : y;
    y = ops.convNorm(middle, `${name}.conv2`, `${name}.bn2`, { stride: 1, padding: 1, residual, relu: true });
  }
  return ops.pool(y);
}
