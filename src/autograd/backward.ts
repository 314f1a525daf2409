/** Reverse-mode differentiation over the recorded graph. */
import { ShapeError, UsageError, formatShape } from '../errors';
import type { Storage } from '../gpu/buffers';
import { accumulate } from '../kernels/accumulate';
import { add } from '../kernels/binary';
import { copyOf, fill } from '../kernels/copy';
import { sameShape } from '../kernels/launch';
import { Tensor } from '../tensor';
import { newNodeId, type Again, type OpNode } from './op';

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
  new Walk().run(output, grad);
}

class Walk {
  /** Gradients of tensors whose node has not been visited. */
  readonly #pending = new Map<Tensor, Tensor>();
  /** Second gradients of tensors whose op adds the two itself. */
  readonly #second = new Map<Tensor, Tensor>();
  /**
   * Memory that leaves' gradients or the caller own. Ops hand gradients on as they are (both sides of an add, a view),
   * so a leaf that is given memory with an owner takes a copy.
   */
  readonly #owned = new Set<Storage>();
  /** Inputs of what was recorded again, by the leaves that stood in for them. */
  readonly #inputs = new Map<Tensor, Tensor>();

  run(output: Tensor, grad: Tensor | undefined): void {
    const node = output.node as OpNode | undefined;
    if (grad === undefined && node?.fromOne) {
      output.node = undefined;
      this.#passOn(node, node.fromOne(), []);
    } else {
      if (grad) this.#owned.add(grad.storage);
      this.#accumulate(output, grad ?? fill(output.gpu, output.shape, 1), []);
    }
    this.#visitAfter(0);
  }

  /** Visits pending nodes made after `id`, and all that they lead to there. */
  #visitAfter(id: number): void {
    for (;;) {
      let tensor: Tensor | undefined;
      for (const candidate of this.#pending.keys()) {
        const at = candidate.node?.id ?? 0;
        if (at > id && at > (tensor?.node?.id ?? 0)) tensor = candidate;
      }
      if (tensor === undefined) return;
      const dy = this.#pending.get(tensor) as Tensor;
      const node = tensor.node as OpNode;
      const moreDy = this.#second.get(tensor);
      this.#pending.delete(tensor);
      this.#second.delete(tensor);
      tensor.node = undefined;
      if (node.again) this.#visitAgain(node.again, dy);
      else this.#visit(node, dy, moreDy);
    }
  }

  #visit(node: OpNode, dy: Tensor, moreDy: Tensor | undefined): void {
    this.#passOn(node, node.backward(dy, moreDy), moreDy ? [dy, moreDy] : [dy]);
  }

  /** Gives an op's gradients to its inputs. `used`: the gradients that they were made from. */
  #passOn(node: OpNode, gradients: readonly (Tensor | null)[], used: readonly Tensor[]): void {
    const spent = [...used];
    gradients.forEach((dx, i) => {
      const input = node.inputs[i];
      if (dx === null) return;
      if (input !== undefined) spent.push(...this.#accumulate(input, dx, [...used, ...gradients]));
      spent.push(dx);
    });
    // The memory of gradients that have been passed on serves the next ones.
    for (const tensor of spent) if (!this.#owned.has(tensor.storage) && !this.#isPending(tensor.storage)) tensor.dispose();
  }

  /** What was not kept is recorded again, walked, and given back at once; only gradients outlive it. */
  #visitAgain(again: () => Again, dy: Tensor): void {
    const before = newNodeId();
    dy.gpu.scope(
      () => {
        const { output, inputs } = again();
        if ((output.node?.id ?? 0) < before) throw new UsageError('recompute: the function took another path when it ran again; it must do the same each time');
        for (const [leaf, input] of inputs) this.#inputs.set(leaf, input);
        this.#accumulate(output, dy, []);
        this.#visitAfter(before);
      },
      () => [...[...this.#waiting()].map(({ storage }) => storage), ...this.#owned],
    );
  }

  /** Adds a gradient to a tensor's. Returns gradients that the sum replaces. `shared`: others that the op gave. */
  #accumulate(standIn: Tensor, dx: Tensor, shared: readonly (Tensor | null)[]): Tensor[] {
    const tensor = this.#inputs.get(standIn) ?? standIn;
    if (tensor.node === undefined) {
      if (tensor.requiresGrad) this.#accumulateLeaf(tensor, dx, shared);
      return [];
    }
    const known = this.#pending.get(tensor);
    if (known !== undefined && (tensor.node as OpNode).addsGradients && !this.#second.has(tensor)) {
      this.#second.set(tensor, dx);
      return [];
    }
    this.#pending.set(tensor, known === undefined ? dx : add(known, dx));
    return known === undefined ? [] : [known];
  }

  #accumulateLeaf(leaf: Tensor, dx: Tensor, shared: readonly (Tensor | null)[]): void {
    const { grad } = leaf;
    if (grad === undefined) {
      leaf.grad = this.#owned.has(dx.storage) ? copyOf(dx) : dx;
    } else if (this.#isPending(grad.storage) || shared.some((other) => other?.storage === grad.storage)) {
      leaf.grad = add(grad, dx); // its memory is a gradient of other tensors too
    } else {
      accumulate(grad, dx);
    }
    this.#owned.add((leaf.grad as Tensor).storage);
  }

  *#waiting(): Generator<Tensor> {
    yield* this.#pending.values();
    yield* this.#second.values();
  }

  #isPending(storage: Storage): boolean {
    for (const other of this.#waiting()) if (other.storage === storage) return true;
    return false;
  }
}
