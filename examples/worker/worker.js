// The engine in a worker: it trains, and tells the page how far it is.
import { fineTune, fromFiles, load } from '../../dist/graft.min.js';

onmessage = ({ data }) => train(data).catch((error) => postMessage({ text: error.message }));

async function train(files) {
  // folder/class/picture.png
  const images = await fromFiles(files.map(({ file, path }) => ({ label: path.split('/').at(-2), blob: file, name: path })));
  const model = await load('../../weights/base/', { classes: images.classes });
  const { validation } = await fineTune(model, images, {
    plan: 'head', epochs: 20, batchSize: 8,
    onProgress(event) {
      if (event.kind === 'features') postMessage({ text: `features of ${event.done} of ${event.total} pictures` });
      if (event.kind === 'epoch') postMessage({ fraction: event.record.epoch / 20, text: `epoch ${event.record.epoch}, loss ${event.record.trainLoss.toFixed(3)}` });
    },
  });
  const { 'model.safetensors': weights } = await model.toFiles();
  model.dispose();
  const accuracy = validation ? `, ${Math.round(100 * validation.accuracy)} % of ${validation.count} held-out pictures right` : '';
  postMessage({ fraction: 1, text: `Trained on ${images.train.items.length} pictures${accuracy}.`, weights }, [weights.buffer]);
}
