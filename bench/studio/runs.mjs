/** The studio at work: two runs on the sample, with and without a trace, with and without a disk, and beside live pictures. */
import { classifyFor, classifyWhileTraining, prepare, train, withPrelude } from './inPage.mjs';
import { openBrowser } from './site.mjs';
import { longest, traced, within } from './trace.mjs';

export const AUGMENT = { randomResizedCrop: { scale: [0.5, 1], ratio: [0.75, 4 / 3] }, horizontalFlip: 0.5 };
/** `layer4` varies its pictures, so the whole network runs in each step. */
export const settingsOf = (epochs) => ({
  head: { plan: 'head', epochs: null, augment: null },
  layer4: { plan: 'layer4', epochs, augment: AUGMENT },
});

/** Milliseconds in which results are drawn. */
const SETTLE = 3000;
/** In the worker: no storage is lent, so all is kept in memory. */
const NO_DISK = 'navigator.storage.getDirectory = () => Promise.reject(new DOMException("none for the bench", "SecurityError"));';
/** In the worker: what is written, told to whoever listens. */
const TELL_WRITES = `const tell = new BroadcastChannel('bench-writes');
const make = FileSystemFileHandle.prototype.createWritable;
FileSystemFileHandle.prototype.createWritable = async function (...given) {
  const began = performance.now();
  const stream = await make.apply(this, given);
  const write = stream.write.bind(stream), close = stream.close.bind(stream);
  let bytes = 0;
  stream.write = (data) => { bytes += data.size ?? data.byteLength ?? data.length ?? 0; return write(data); };
  stream.close = async () => { await close(); tell.postMessage({ name: this.name, bytes, milliseconds: performance.now() - began }); };
  return stream;
};`;

/** The page's own thread while the worker trains. */
export async function measureThread(site, epochs) {
  return inStudio(site, '', async (page) => {
    const found = {};
    for (const [name, settings] of Object.entries(settingsOf(epochs))) {
      const { result, threads } = await traced(page, () => page.evaluate(train, { settings, settle: SETTLE }));
      const { began, ended, settled } = result;
      found[name] = {
        training: within(threads.page, began, ended), results: within(threads.page, ended, settled), worker: within(threads.worker, began, ended),
        frames: result.frames, messages: result.messages, curve: result.curve,
        longTasks: { training: result.long.filter(({ start }) => start < ended), results: result.long.filter(({ start }) => start >= ended) },
        longest: { training: longest(threads.parts, threads.page, began, ended), results: longest(threads.parts, threads.page, ended, settled) },
      };
    }
    return found;
  });
}

/** The same runs without a trace: their speed. `disk` false keeps all in memory. */
export async function measureRuns(site, epochs, { disk }) {
  return inStudio(site, disk ? TELL_WRITES : NO_DISK, async (page) => {
    const found = {};
    for (const [name, settings] of Object.entries(settingsOf(epochs))) {
      await page.evaluate(() => {
        globalThis.benchWrites = [];
        globalThis.benchChannel ??= new BroadcastChannel('bench-writes');
        globalThis.benchChannel.onmessage = ({ data }) => globalThis.benchWrites.push(data);
      });
      const result = await page.evaluate(train, { settings, settle: 1000 });
      const writes = await page.evaluate(() => globalThis.benchWrites);
      found[name] = { ...speeds(result), wall: (result.ended - result.began) / 1000, writes };
    }
    return found;
  });
}

/** Live pictures: with nothing else to do, and between the steps of a run. */
export async function measureLive(site, epochs) {
  return inStudio(site, '', async (page) => {
    const { head, layer4 } = settingsOf(epochs);
    await page.evaluate(train, { settings: head, settle: 500 });
    await page.evaluate(classifyFor, { milliseconds: 1000 });
    const idle = await page.evaluate(classifyFor, { milliseconds: 8000 });
    const training = await page.evaluate(classifyWhileTraining, { settings: layer4 });
    return { idle, training };
  });
}

/** Images a second: of features by what the page was told, of steps by the epochs after the first, which compiles. */
function speeds({ phases, run }) {
  const { features: begin, featuresTo: end } = phases;
  const later = run.history.slice(1);
  return {
    features: begin && end && end.done > begin.done ? (1000 * (end.done - begin.done)) / (end.at - begin.from) : null,
    epochSeconds: later.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, later.length),
    images: run.images, seconds: run.seconds,
  };
}

async function inStudio(site, prelude, work) {
  const { browser, close } = await openBrowser();
  try {
    const page = await browser.newPage();
    if (prelude !== '') await page.evaluateOnNewDocument(withPrelude, prelude);
    await page.goto(`${site.origin}/`);
    await page.waitForFunction(() => globalThis.graft?.state.device.value.kind !== 'opening' && globalThis.graft.state.project.value.id !== '');
    const { device, storage } = await page.evaluate(() => ({ device: globalThis.graft.state.device.value, storage: globalThis.graft.state.storage.value }));
    if (device.kind !== 'ready') throw new Error(`the studio has no device: ${device.message}`);
    const prepared = await page.evaluate(prepare);
    return { adapter: device.adapter, storage, prepared, ...(await work(page)) };
  } finally {
    await close();
  }
}
