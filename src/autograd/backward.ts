/** Reverse-mode differentiation over the recorded graph. */
import { ShapeError, formatShape } from '../errors';
import type { Storage } from '../gpu/buffers';
import { add } from '../kernels/binary';
import { fill } from '../kernels/copy';
import { sameShape } from '../kernels/launch';
import { Tensor } from '../tensor';
import type { OpNode } from './op';

/**
 * Adds d(output)/d(leaf) to `.grad` of every leaf with `requiresGrad` that `output` depends on.
 *
 * Nodes are visited newest first, which is a topological order because an op's inputs exist before it runs.
 * A visited node is forgotten, so a graph can be walked once.
 *
 * @param grad gradient of `output`; ones when left out, and then `output` must hold one element.
 * @throws ShapeError when nothing wants a gradient, or `grad` does not fit.
 */
export function backward(output: Tensor, grad?: Tensor): void {
  if (output.node === undefined && !output.requiresGrad) {
    throw new ShapeError('backward: the output depends on no parameter that requires a gradient; unfreeze one, and do not run the forward in noGrad');
  }
  if (grad === undefined && output.size !== 1) {
    throw new ShapeError(`backward: an output of shape ${formatShape(output.shape)} needs a gradient of the same shape; only a scalar starts at 1`);
  }
  if (grad !== undefined && !sameShape(grad.shape, output.shape)) {
    throw new ShapeError(`backward: gradient ${formatShape(grad.shape)} does not have the output's shape ${formatShape(output.shape)}`);
  }
  const pending = new Map<Tensor, Tensor>();
  // Memory that leaves' gradients or the caller own. Ops hand gradients on as they are (both sides of an add, a view),
  // so a leaf that is given memory with an owner takes a copy.
  const owned = new Set<Storage>(grad && [grad.storage]);
  const accumulateLeaf = (leaf: Tensor, dx: Tensor): void => {
    if (leaf.grad !== undefined) leaf.grad = add(leaf.grad, dx);
    else leaf.grad = owned.has(dx.storage) ? copy(dx) : dx;
    owned.add(leaf.grad.storage);
  };
  const accumulate = (tensor: Tensor, dx: Tensor): void => {
    if (tensor.node === undefined) {
      if (tensor.requiresGrad) accumulateLeaf(tensor, dx);
      return;
    }
    const known = pending.get(tensor);
    pending.set(tensor, known === undefined ? dx : add(known, dx));
  };
  accumulate(output, grad ?? fill(output.gpu, output.shape, 1));
  for (const [tensor, node] of tape(output)) {
    const dy = pending.get(tensor);
    pending.delete(tensor);
    tensor.node = undefined;
    if (dy === undefined) continue;
    const gradients = node.backward(dy);
    gradients.forEach((dx, i) => {
      const input = node.inputs[i];
      if (dx !== null && input !== undefined) accumulate(input, dx);
    });
    // The memory of a gradient that has been passed on serves the next one, unless an op handed the very same
    // storage on, or it has an owner.
    const handedOn = gradients.some((dx) => dx?.storage === dy.storage);
    const shared = [...pending.values()].some((other) => other.storage === dy.storage);
    if (!owned.has(dy.storage) && !handedOn && !shared) dy.dispose();
  }
}

function copy(tensor: Tensor): Tensor {
  const out = Tensor.empty(tensor.gpu, tensor.shape);
  tensor.gpu.copy(tensor.storage, out.storage, 4 * tensor.size);
  return out;
}

/** Every tensor that `output` was made from, with its node, newest first. */
function tape(output: Tensor): [Tensor, OpNode][] {
  const seen = new Map<number, [Tensor, OpNode]>();
  const pending = [output];
  while (pending.length > 0) {
    const tensor = pending.pop() as Tensor;
    const node = tensor.node as OpNode | undefined;
    if (node === undefined || seen.has(node.id)) continue;
    seen.set(node.id, [tensor, node]);
    for (const input of node.inputs) if (input) pending.push(input);
  }
  return [...seen.values()].sort((a, b) => b[1].id - a[1].id);
}
