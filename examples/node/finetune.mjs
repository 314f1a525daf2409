// Fine-tunes a pretrained network on a folder of images, a folder for each label:
//   node finetune.mjs photos            (resnet18: torchvision's weights, downloaded once)
//   node finetune.mjs glyphs base       (the small network that ships with Graft)
import { fineTune, imageFolder, load, predictFiles, saveModel } from 'graft-gpu';

const [folder, name = 'resnet18'] = process.argv.slice(2);
const photos = await imageFolder(folder);
const model = await load(name, { classes: photos.classes });
const { validation } = await fineTune(model, photos, {
  plan: 'head',
  onProgress: (event) => event.kind === 'epoch' && console.log(`epoch ${event.record.epoch}: loss ${event.record.trainLoss.toFixed(3)}`),
});
console.log(`accuracy on held-out images: ${validation?.accuracy}`);
await saveModel(model, 'my-model', { force: true });
for await (const { path, top } of predictFiles(model, [photos.validation.items[0].path])) console.log(path, top[0]);
process.exit(); // a live WebGPU device keeps Node running
