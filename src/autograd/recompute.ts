/**
 * Activation recomputation (Chen et al., 2016, "Training deep nets with sublinear memory cost"): a part of a network
 * runs forward without keeping anything but its inputs, and once more when the backward reaches it.
 *
 * The second run is the first one over again: the same kernels on the same inputs, with the same random draws, and
 * without moving running statistics. Results and gradients have the bits they would have had without.
 */
import { UsageError } from '../errors';
import { scope, type Tensor } from '../tensor';
import { currentMode, inMode, isMarked, newNodeId, wantsGrad, type OpNode } from './op';

/** A call of `recompute` that is running: for the first time, or again. */
interface Region {
  readonly parent: Region | undefined;
  /** Random draws made inside, in order. */
  readonly draws: unknown[];
  readonly again: boolean;
  next: number;
}

let region: Region | undefined;

/**
 * Runs `fn(...inputs)` keeping no intermediate result; `backward` runs it again to have them. Gradients flow to the
 * inputs and to every parameter used inside, as in `torch.utils.checkpoint` with `use_reentrant=False`. Calls may be
 * nested.
 *
 * `fn` must not be async, must do the same when it is called again, and gives back one tensor.
 *
 * @throws UsageError for an async function; `backward` throws it when the second run took another path.
 */
export function recompute<I extends readonly [Tensor, ...Tensor[]]>(fn: (...inputs: I) => Tensor, ...inputs: I): Tensor {
  if (currentMode() === 'off') return fn(...inputs);
  const nested = currentMode() === 'mark';
  const draws: unknown[] = [];
  const output = scope(inputs[0].gpu, () => inMode('mark', 'recompute', () => inRegion(draws, false, () => fn(...inputs))));
  if (nested || !isMarked(output)) return output; // whoever runs this again decides; or no gradient flows through it
  const again: OpNode['again'] = () => {
    const standIns = inputs.map((input) => (wantsGrad(input) ? leafLike(input) : input));
    const result = inMode('record', 'recompute', () => inRegion(draws, true, () => fn(...(standIns as readonly Tensor[] as I))));
    return { output: result, inputs: new Map(standIns.flatMap((leaf, i) => (leaf === inputs[i] ? [] : [[leaf, inputs[i]]]))) };
  };
  const node: OpNode = { id: newNodeId(), name: 'recompute', inputs, addsGradients: false, backward: () => [], again };
  output.node = node;
  return output;
}

/** True inside a second run: what a forward does besides its result has been done. */
export function runsAgain(): boolean {
  for (let at = region; at; at = at.parent) if (at.again) return true;
  return false;
}

/** A random draw, from `make` the first time and the same one when a part of a network runs again. */
export function draw<T>(make: () => T): T {
  return drawIn(region, make);
}

function drawIn<T>(at: Region | undefined, make: () => T): T {
  if (at === undefined) return make();
  if (!at.again) {
    const value = drawIn(at.parent, make);
    at.draws.push(value);
    return value;
  }
  if (at.next >= at.draws.length) throw new UsageError('recompute: the function drew more random numbers when it ran again; it must do the same each time');
  return at.draws[at.next++] as T;
}

function inRegion<T>(draws: unknown[], again: boolean, fn: () => T): T {
  const before = region;
  region = { parent: before, draws, again, next: 0 };
  try {
    return fn();
  } finally {
    region = before;
  }
}

/** The same elements as a leaf: what is recorded from it ends there. */
function leafLike(tensor: Tensor): Tensor {
  const leaf = tensor.view(tensor.shape);
  leaf.requiresGrad = true;
  return leaf;
}
