/** What is done in the page. Each function is sent there as its text, so it uses nothing from outside itself. */

/** The sample and the base, as from the buttons. Milliseconds of both. */
export async function prepare() {
  const { studio } = globalThis.graft;
  const began = performance.now();
  await studio.addSample();
  const added = performance.now();
  await studio.chooseBase({ kind: 'shipped' });
  return { add: added - began, base: performance.now() - added };
}

/**
 * Sets what is trained, presses the button, and waits until the run has ended and its results are drawn. Times are
 * `performance.now()`; `frames` are the longest gaps between two animation frames until the end, and from there on.
 */
export async function train({ settings, settle }) {
  const { studio, state } = globalThis.graft;
  await studio.setSettings(settings);
  await new Promise((resolve) => { setTimeout(resolve, 800); }); // costs of plans are worked out again
  const long = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) long.push({ start: startTime, wall: duration });
  });
  observer.observe({ type: 'longtask' });
  const frames = { training: 0, results: 0 };
  let last = performance.now();
  let ended;
  let over = false;
  const frame = () => {
    const now = performance.now();
    const part = ended === undefined ? 'training' : 'results';
    frames[part] = Math.max(frames[part], now - last);
    last = now;
    if (!over) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  performance.mark('bench-zero');
  const began = performance.now();
  const phases = {};
  let messages = 0;
  let largest = 0;
  const finished = new Promise((resolve) => {
    const stop = state.run.subscribe((run) => {
      messages += 1;
      if (run.kind === 'running') {
        phases[run.phase] ??= { from: performance.now(), done: run.done };
        if (run.curve.length > largest) largest = run.curve.length;
        if (run.phase === 'features') phases.featuresTo = { at: performance.now(), done: run.done };
      } else if (messages > 1 && phases.preparing !== undefined) {
        ended = performance.now();
        queueMicrotask(() => stop());
        resolve();
      }
    });
  });
  document.querySelector('.train-button').click();
  await finished;
  await new Promise((resolve) => { setTimeout(resolve, settle); });
  over = true;
  observer.disconnect();
  const run = state.run.value;
  if (run.kind !== 'ended') throw new Error(`the run did not end well: ${JSON.stringify(run)}`);
  const { history, features, images, seconds } = run.result;
  return { began, ended, settled: performance.now(), frames, long, messages, curve: largest, phases, run: { history, features, images, seconds } };
}

/** Pictures a second when one is asked for after the other, as the live view does. */
export async function classifyFor({ milliseconds }) {
  const { studio } = globalThis.graft;
  const canvas = new OffscreenCanvas(320, 240);
  const context = canvas.getContext('2d');
  const times = [];
  const began = performance.now();
  for (let i = 0; performance.now() - began < milliseconds || times.length < 3; i++) {
    context.fillStyle = `hsl(${(i * 47) % 360} 60% 60%)`;
    context.fillRect(0, 0, 320, 240);
    const bitmap = await createImageBitmap(canvas);
    const asked = performance.now();
    await studio.classify(bitmap);
    times.push(performance.now() - asked);
  }
  return { pictures: times.length, seconds: (performance.now() - began) / 1000, times };
}

/** Starts a run, and asks for pictures from its first epoch on until it ends. */
export async function classifyWhileTraining({ settings }) {
  const { studio, state } = globalThis.graft;
  await studio.setSettings(settings);
  const done = studio.train();
  const inFirstEpochs = new Promise((resolve) => {
    const stop = state.run.subscribe((run) => {
      if (run.kind === 'running' && run.history.length >= 1) {
        queueMicrotask(() => stop());
        resolve();
      }
    });
  });
  await Promise.race([inFirstEpochs, done]);
  const times = [];
  const began = performance.now();
  while (state.run.value.kind === 'running' && state.run.value.phase === 'training') {
    const bitmap = await createImageBitmap(new ImageData(320, 240));
    const asked = performance.now();
    await studio.classify(bitmap);
    times.push(performance.now() - asked);
  }
  const seconds = (performance.now() - began) / 1000;
  await done;
  return { pictures: times.length, seconds, times };
}

/** Before the page's scripts: its worker runs `prelude` first. */
export function withPrelude(prelude) {
  const Real = globalThis.Worker;
  const blobOf = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  globalThis.Worker = class extends Real {
    constructor(url, options) {
      const first = blobOf(prelude);
      super(blobOf(`import ${JSON.stringify(first)}; import ${JSON.stringify(new URL(url, location.href).href)};`), options);
    }
  };
}
