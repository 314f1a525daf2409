/**
 * What a visitor waits for: from nothing to the first prediction of a model at an address. In a page, in a worker and in
 * Node. `graft` is the public API (`import * as graft from 'graft-gpu'`); each run opens a device of its own.
 *
 * Cold or warm is the caller's to arrange. A first run of a fresh profile is cold; later ones find the files in the HTTP
 * cache (`cache: 'reload'` brings them anew) and the browser's own store of compiled pipelines, which no page can empty.
 */

/** Milliseconds on the clock since `began`. */
const since = (began) => performance.now() - began;

/**
 * One thing after the other, so that each phase has a time of its own:
 *   device   adapter and device
 *   fetch    model.json and model.safetensors
 *   weights  parsed, checked and on the device
 *   compile  every pipeline of a prediction, in parallel
 *   first    the first prediction; `second` is the next one, when nothing is new
 * `total` is their sum without `second`. `pipelines` were compiled.
 */
export async function startApart(graft, url, { cache = 'default' } = {}) {
  const folder = url.replace(/\/?$/, '/');
  const phases = {};
  const began = performance.now();
  let at = began;
  const phase = (name) => {
    phases[name] = since(at);
    at = performance.now();
  };
  const gpu = await graft.openGpu();
  try {
    phase('device');
    const [card, bytes] = await Promise.all(['model.json', 'model.safetensors'].map((name) => fetched(folder + name, cache)));
    phase('fetch');
    const file = await graft.openWeights(graft.bytesSource(bytes, 'model.safetensors'));
    const model = await graft.classifierFrom(gpu, file, { name: 'model.safetensors', card: graft.parseModelCard(new TextDecoder().decode(card), 'model.json') });
    await gpu.sync();
    phase('weights');
    const pipelines = await model.compile(1);
    phase('compile');
    await predict(model);
    phase('first');
    const total = at - began;
    await predict(model);
    return { adapter: gpu.adapter, phases, total, second: since(at), pipelines };
  } finally {
    gpu.destroy();
  }
}

/**
 * As `load` does it, everything at once. Times since the beginning: `device` is open, `fetched` is the last byte,
 * `loaded` is `load`'s return, `total` the first prediction. `second`: how long the next one took.
 * `late` counts pipelines that the prediction had to wait for: none, if `load` foresaw them all.
 */
export async function startTogether(graft, url) {
  const began = performance.now();
  const marks = { device: 0, fetched: 0, loaded: 0 };
  const opening = graft.openGpu().then((gpu) => {
    marks.device = since(began);
    return gpu;
  });
  const model = await graft.load(url, { gpu: opening, onProgress: () => (marks.fetched = since(began)) });
  const gpu = await opening;
  try {
    marks.loaded = since(began);
    const late = countCalls(gpu.device, 'createComputePipeline');
    await predict(model);
    const total = since(began);
    const at = performance.now();
    await predict(model);
    return { adapter: gpu.adapter, marks, total, second: since(at), late: late() };
  } finally {
    gpu.destroy();
  }
}

/** A grey picture. */
function predict(model) {
  const { cropSize } = model.preprocessing;
  return model.predict(new Float32Array(cropSize * cropSize * 3), 1);
}

async function fetched(url, cache) {
  const response = await fetch(url, { cache });
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function countCalls(object, method) {
  const original = object[method];
  let calls = 0;
  object[method] = (...args) => {
    calls++;
    return original.apply(object, args);
  };
  return () => calls;
}
