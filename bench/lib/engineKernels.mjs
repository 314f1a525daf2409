/**
 * The kernel side of an engine, the same for all: `open(item, inputs)` of an engine makes a case ready and gives
 * `{ run, sync, output, axes?, dispose }`; `output` resolves to all elements in the engine's own layout, whose axes are
 * `axes` of the bench's (channels first: [0, 3, 1, 2]).
 */
import { sizeOf, unravel } from './numbers.mjs';
import { inputsOf, sampledElements } from './reference.mjs';
import { calibrate, sample } from './timing.mjs';

/** Answers to the coordinator's requests about kernels. */
export function kernelActions(open) {
  let current;
  let repeats = 1;
  return {
    /** Makes a case ready, runs it once and resolves to the sampled elements and the time that took, compiling included. */
    async prepareKernel({ item }) {
      await current?.dispose();
      current = undefined;
      const inputs = inputsOf(item);
      const began = performance.now();
      const opened = await open(item, inputs);
      if (opened === null) return null;
      current = opened;
      const data = await current.output();
      const firstMs = performance.now() - began;
      const size = sizeOf(item.out);
      if (data.length !== size) throw new Error(`${item.id}: ${data.length} elements, not ${size}`);
      return { values: sampledElements(item).map((at) => data[place(at, item.out, current.axes)]), firstMs };
    },
    async calibrateKernel({ least }) {
      repeats = await calibrate(current, least);
      return repeats;
    },
    timeKernel: () => sample(current, repeats),
    async endKernel() {
      await current?.dispose();
      current = undefined;
    },
  };
}

/** Where an element of the bench's layout stands in one of other axes. */
function place(at, shape, axes) {
  if (axes === undefined) return at;
  const indices = unravel(at, shape);
  return axes.reduce((sum, axis) => sum * shape[axis] + indices[axis], 0);
}
