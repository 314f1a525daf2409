/** Names and architectures: what a training script wrapped is unwrapped, and shapes alone tell the network. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/errors';
import { f32 } from '../src/hostTensor';
import { detectArchitecture, shapesOf, unknownArchitecture } from '../src/weights/architecture';
import { bytesSource } from '../src/weights/byteSource';
import { PUBLISHED_WEIGHTS, findPublishedWeights, imagenetClasses, publishedWeights } from '../src/weights/manifest';
import { mapNames, withTorchvisionNames } from '../src/weights/names';
import { openWeights } from '../src/weights/open';
import { serializeSafetensors } from '../src/weights/safetensors';
import { FOLDER } from './weightFiles';

/** Shapes of torchvision's own networks, all tensors of two axes and more. timm 1.0's are equal, name by name. */
const SHAPES = JSON.parse(readFileSync(join(FOLDER, 'shapes.json'), 'utf8')) as Record<string, Record<string, number[]>>;
const shapes = (arch: string): Map<string, number[]> => new Map(Object.entries(SHAPES[arch]));

describe('detectArchitecture', () => {
  it.each(Object.keys(SHAPES))('%s', (arch) => {
    expect(detectArchitecture(shapes(arch))).toEqual({ arch, numClasses: 1000, width: 64 });
  });

  it.each(Object.keys(SHAPES).filter((arch) => !arch.startsWith('resnext')))('%s at a quarter of its width, with 7 classes', (arch) => {
    const narrow = new Map([...shapes(arch)].map(([name, shape]) => {
      const [out, input, ...rest] = shape;
      return [name, [name === 'fc.weight' ? 7 : out / 4, name === 'conv1.weight' ? 3 : input / 4, ...rest]];
    }));
    expect(detectArchitecture(narrow)).toEqual({ arch, numClasses: 7, width: 16 });
  });

  it('a trunk without classifier', () => {
    const trunk = shapes('resnet50');
    trunk.delete('fc.weight');
    expect(detectArchitecture(trunk)).toEqual({ arch: 'resnet50', numClasses: undefined, width: 64 });
  });

  it.each([
    ['nothing', () => new Map(), "it has no 'conv1.weight'"],
    ['a VGG', () => new Map([['features.0.weight', [64, 3, 3, 3]]]), "its first tensor is 'features.0.weight'"],
    ['a deep stem', () => new Map([['conv1.0.weight', [32, 3, 3, 3]]]), 'ResNet-D'],
    ['a small-image stem', () => shapes('resnet18').set('conv1.weight', [64, 3, 3, 3]), "'conv1.weight' is [64, 3, 3, 3], not a 7x7"],
    ['grey images', () => shapes('resnet18').set('conv1.weight', [64, 1, 7, 7]), 'takes 1 channels'],
    ['a block more', () => shapes('resnet18').set('layer4.2.conv1.weight', [512, 512, 3, 3]), 'basic, [2, 2, 2, 3]'],
    ['resnext50_32x8d', () => shapes('resnext50_32x4d').set('layer1.1.conv2.weight', [256, 8, 3, 3]), 'bottleneck, [3, 4, 6, 3]'],
    ['a stage of another width', () => shapes('resnet18').set('layer3.1.conv1.weight', [128, 128, 3, 3]), 'or their widths'],
    ['a misfit classifier', () => shapes('resnet18').set('fc.weight', [10, 2048]), 'ResNet-18'],
  ] as [string, () => Map<string, number[]>, string][])('%s is none, and why is said', (_, make, why) => {
    expect(detectArchitecture(make())).toBeUndefined();
    expect(unknownArchitecture(make())).toContain(why);
  });
});

describe('mapNames', () => {
  const resnet = [...shapes('resnet18').keys(), 'bn1.weight', 'bn1.num_batches_tracked', 'fc.bias'];

  it("torchvision's own names stay, without a word", () => {
    expect(mapNames(resnet)).toEqual({ names: new Map(resnet.map((name) => [name, name])), dropped: [], notes: [] });
  });

  it.each(['module.', 'model.', 'backbone.', 'module.model.backbone.'])('the prefix %s comes off', (prefix) => {
    const { names, dropped, notes } = mapNames(resnet.map((name) => prefix + name));
    expect([...names.values()]).toEqual(resnet);
    expect(dropped).toEqual([]);
    expect(notes).toEqual([`Left the prefix '${prefix}' off the names.`]);
  });

  it('a classifier beside the prefix is found, by several names', () => {
    for (const head of ['head', 'classifier', 'classifier.1', 'last_linear', 'module.fc', 'module.head.fc']) {
      const trunk = resnet.filter((name) => !name.startsWith('fc.')).map((name) => `module.backbone.${name}`);
      const { names, notes } = mapNames([...trunk, `${head}.weight`, `${head}.bias`]);
      expect(names.get(`${head}.weight`)).toBe('fc.weight');
      expect(names.get(`${head}.bias`)).toBe('fc.bias');
      expect(notes).toContain(`Took '${head}' for the classifier, 'fc'.`);
    }
  });

  it('other parts of the checkpoint are left out, and told', () => {
    const { names, dropped, notes } = mapNames([...resnet.map((name) => `encoder_q.${name}`), ...resnet.map((name) => `encoder_k.${name}`), 'queue']);
    expect([...names.values()]).toEqual(resnet);
    expect(dropped.length).toBe(resnet.length + 1);
    expect(notes).toEqual([
      "Left the prefix 'encoder_q.' off the names.",
      "Took the network under 'encoder_q.'; there is also 'encoder_k.'.",
      `Left out ${dropped.length} tensors that are not the network's, such as 'encoder_k.conv1.weight'.`,
    ]);
  });

  it("a surplus name at the top is kept, for the strict loader to report", () => {
    expect(mapNames([...resnet, 'extra.weight']).names.get('extra.weight')).toBe('extra.weight');
  });

  it("another architecture's names come back as they are", () => {
    expect([...mapNames(['features.0.weight', 'classifier.6.weight']).names.values()]).toEqual(['features.0.weight', 'classifier.6.weight']);
  });

  it("Hugging Face's names", () => {
    const { names } = mapNames([
      'resnet.embedder.embedder.convolution.weight', 'resnet.embedder.embedder.normalization.running_mean',
      'resnet.encoder.stages.0.layers.0.shortcut.convolution.weight', 'resnet.encoder.stages.0.layers.0.shortcut.normalization.bias',
      'resnet.encoder.stages.0.layers.0.layer.0.convolution.weight', 'resnet.encoder.stages.3.layers.2.layer.2.normalization.num_batches_tracked',
      'classifier.1.weight', 'classifier.1.bias',
    ]);
    expect([...names.values()]).toEqual([
      'conv1.weight', 'bn1.running_mean', 'layer1.0.downsample.0.weight', 'layer1.0.downsample.1.bias',
      'layer1.0.conv1.weight', 'layer4.2.bn3.num_batches_tracked', 'fc.weight', 'fc.bias',
    ]);
  });

  it('a file under its new names reads the same tensors', async () => {
    const wrapped = Object.fromEntries(resnet.slice(0, 6).map((name, i) => [`module.${name}`, f32([1], Float32Array.of(i))]));
    const file = withTorchvisionNames(await openWeights(bytesSource(serializeSafetensors(wrapped))));
    expect(file.names).toEqual(resnet.slice(0, 6));
    expect(file.notes).toEqual(["Left the prefix 'module.' off the names."]);
    expect([...(await file.read(resnet[3])).data]).toEqual([3]);
    expect(shapesOf(file).get(resnet[0])).toEqual([1]);
    await expect(file.read(`module.${resnet[3]}`)).rejects.toThrow('Did you mean');
  });
});

describe('published weights', () => {
  it('are all that torchvision publishes of these networks', () => {
    expect(PUBLISHED_WEIGHTS.map(({ name }) => name)).toEqual([
      'resnet18-f37072fd', 'resnet34-b627a593', 'resnet50-0676ba61', 'resnet50-11ad3fa6', 'resnet101-63fe2227', 'resnet101-cd907fc2',
      'resnet152-394f9c45', 'resnet152-f82ba261', 'resnext50_32x4d-7cdf4587', 'resnext50_32x4d-1a0047aa',
      'wide_resnet50_2-95faca4d', 'wide_resnet50_2-9ba9bcbe',
    ]);
    for (const { file, url, sha256Prefix, arch } of PUBLISHED_WEIGHTS) {
      expect(url).toBe(`https://download.pytorch.org/models/${file}`);
      expect(file).toBe(`${arch}-${sha256Prefix}.pth`);
    }
  });

  it.each([
    ['resnet18', 'resnet18-f37072fd'], ['resnet50', 'resnet50-11ad3fa6'], ['resnet50-0676ba61.pth', 'resnet50-0676ba61'],
    ['ResNet50_Weights.IMAGENET1K_V1', 'resnet50-0676ba61'], ['resnet50_weights.default', 'resnet50-11ad3fa6'],
    ['https://download.pytorch.org/models/resnet34-b627a593.pth', 'resnet34-b627a593'],
  ])('%s is %s', (name, full) => {
    expect(publishedWeights(name).name).toBe(full);
  });

  it('an unknown name is an error with the nearest', () => {
    expect(() => publishedWeights('resnet81')).toThrow(new UsageError("no published weights are named 'resnet81'. Did you mean 'resnet18'?"));
    expect(findPublishedWeights('mine.pth')).toBeUndefined();
  });

  it('carry their preprocessing and labels', async () => {
    expect(publishedWeights('resnet18').preprocessing).toEqual({
      resizeSize: 256, cropSize: 224, interpolation: 'bilinear', antialias: true, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
    expect(publishedWeights('resnet50').preprocessing.resizeSize).toBe(232);
    const classes = await imagenetClasses();
    expect([classes.length, classes[0], classes[999]]).toEqual([1000, 'tench', 'toilet tissue']);
  });
});
