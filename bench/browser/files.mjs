/** What an engine's worker reads of a model: made from the seed by itself, so that nothing large is handed over. */
import { seededInputs, seededStateDict } from '../../src/weights/seeded.ts';
import { channelsLast, onnxOf, packed, seededModel } from '../lib/modelFiles.mjs';

/** Milliseconds spent on it so far: no engine's, so that a start can be told without. */
export let preparationMs = 0;

/** `config`: of a model's engine. */
export function filesOf({ model, seed }) {
  const timed = (fn) => {
    const began = performance.now();
    try {
      return fn();
    } finally {
      preparationMs += performance.now() - began;
    }
  };
  const made = timed(() => seededModel({ seededInputs, seededStateDict }, { ...model, seed }));
  const weights = new Map();
  const packedFor = (engine) => {
    if (!weights.has(engine)) weights.set(engine, packed(made, engine));
    return weights.get(engine);
  };
  return {
    state: made.state,
    onnx: () => timed(() => onnxOf(made, model)),
    /** Names as Node's files have them. A copy each time: engines keep or give away what they get. */
    floats: (name) => timed(() => {
      if (name === 'image.nchw') return made.image.data.slice();
      if (name === 'image.nhwc') return channelsLast(made.image);
      return packedFor(name.split('.')[1]).values.slice();
    }),
    json: (name) => timed(() => packedFor(name.split('.')[1]).list),
  };
}
