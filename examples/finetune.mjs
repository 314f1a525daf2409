// Fine-tunes a pretrained ResNet-18 on a folder of images, a folder for each label:
//   node examples/finetune.mjs photos
import { fineTune, imageFolder, load, predictFiles, saveModel } from 'graft-gpu';

const photos = await imageFolder(process.argv[2]);
const model = await load('resnet18', { classes: photos.classes });
const { validation } = await fineTune(model, photos, {
  plan: 'head',
  onProgress: (event) => event.kind === 'epoch' && console.log(event.record),
});
console.log(`accuracy on held-out images: ${validation?.accuracy}`);
await saveModel(model, 'my-model');
for await (const { path, top } of predictFiles(model, [photos.validation.items[0].path])) console.log(path, top[0]);
process.exit(); // a live WebGPU device keeps Node running
