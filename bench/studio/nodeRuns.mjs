/** The same two runs in Node, on the adapter that the environment chooses. Prints their speeds as JSON. A process of its own: the driver is chosen when Dawn is loaded. */
import { join } from 'node:path';
import { fineTune, imageFolder, load, openGpu } from '../../dist/node.js';
import { ROOT } from '../engines/source.mjs';
import { settingsOf } from './runs.mjs';

const gpu = await openGpu();
const data = await imageFolder(join(ROOT, 'sample'));
const found = { adapter: gpu.adapter };
for (const [name, { plan, epochs, augment }] of Object.entries(settingsOf(Number(process.argv[2])))) {
  const classifier = await load('base', { gpu });
  const features = [];
  const began = performance.now();
  const { history, images, seconds } = await fineTune(classifier, data, {
    plan, ...(epochs !== null && { epochs }), ...(augment && { augment }), batchSize: 32,
    onProgress: (event) => { if (event.kind === 'features') features.push({ at: performance.now(), done: event.done }); },
  });
  const [first, last] = [features[0], features.at(-1)];
  const later = history.slice(1);
  found[name] = {
    features: first && last.done > first.done ? (1000 * (last.done - first.done)) / (last.at - first.at) : null,
    epochSeconds: later.reduce((sum, one) => sum + one.seconds, 0) / Math.max(1, later.length),
    images, seconds, wall: (performance.now() - began) / 1000,
  };
  classifier.dispose();
}
await data.close();
console.log(JSON.stringify(found));
process.exit(0);
