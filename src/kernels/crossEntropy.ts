/** Cross entropy with label smoothing, fused with its gradient. */
import { DtypeError, ShapeError, UsageError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import floatLib from '../../shaders/lib/float.wgsl?raw';
import source from '../../shaders/crossEntropy.wgsl?raw';
import { fold } from './launch';
import { mean } from './reduce';

const lossOnly = new Kernel('cross_entropy', [floatLib, source], 'cross_entropy');
const lossAndGradient = new Kernel('cross_entropy_with_gradient', [floatLib, source], 'cross_entropy_with_gradient');

/**
 * Mean loss, a scalar, of the rows of logits [N, C] against class indices [N] (i32, each in [0, C); the caller checks
 * the values while they are in host memory), and its gradient with respect to the logits if wanted.
 */
export function crossEntropy(x: Tensor, labels: Tensor, smoothing: number, withGradient: boolean): { loss: Tensor; dx: Tensor | undefined } {
  if (x.shape.length !== 2 || labels.shape.length !== 1 || x.shape[0] !== labels.shape[0]) {
    throw new ShapeError(`cross_entropy: input must be [N, C] and target [N], got ${formatShape(x.shape)} and ${formatShape(labels.shape)}`);
  }
  if (labels.dtype !== 'i32') throw new DtypeError('cross_entropy: target holds class indices; give an integer tensor');
  if (!(smoothing >= 0 && smoothing <= 1)) throw new UsageError(`cross_entropy: label smoothing must be between 0 and 1, got ${smoothing}`);
  const [rows, classes] = x.shape;
  const loss = Tensor.empty(x.gpu, [rows]);
  const dx = withGradient ? Tensor.empty(x.gpu, x.shape) : undefined;
  const bindings = { x: x.storage, labels: labels.storage, loss: loss.storage };
  const params = { rows, classes, smoothing };
  // A CPU adapter has eight lanes; more only wait for each other.
  const fitted = (kernel: Kernel): Kernel => (x.gpu.adapter.software ? kernel.variant({ constants: { LANES: 8 } }) : kernel);
  if (dx) x.gpu.dispatch(fitted(lossAndGradient), { ...bindings, dx: dx.storage }, params, fold(rows));
  else x.gpu.dispatch(fitted(lossOnly), bindings, params, fold(rows));
  const value = mean(loss);
  loss.dispose();
  return { loss: value, dx };
}
