/** Small images made here, a classifier for them, and what tests of fine-tuning ask about. */
import {
  Random, createDataset, randomClassifier, split,
  type CheckpointStore, type Classifier, type Gpu, type ImageCollection, type Item, type StateDict,
} from '../../src/index';
import { ImageError } from '../../src/data/dataset';

const SIZE = 24;
export const CLASSES = ['horizontal', 'vertical', 'plain'];
export const preprocessing = { resizeSize: SIZE, cropSize: SIZE, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

/** Stripes, or none, in a random colour with noise; a function of the item's hash. */
function draw({ label, hash }: Item): Float32Array {
  const random = new Random(Number.parseInt(hash.slice(0, 8), 16));
  const colour = [random.next(), random.next(), random.next()];
  const period = 3 + random.int(3);
  return Float32Array.from({ length: SIZE * SIZE * 3 }, (_, i) => {
    const along = label === 0 ? Math.floor(i / 3 / SIZE) : Math.floor(i / 3) % SIZE;
    const stripe = label === 2 ? 0 : along % (2 * period) < period ? 1 : -1;
    return stripe * (colour[i % 3] + 0.3) + 0.2 * random.normal();
  });
}

/** A quarter of it for validation. Images named in `broken` cannot be read. */
export function collection(perClass = 16, broken: readonly string[] = []): ImageCollection {
  const items = CLASSES.flatMap((name, label) =>
    Array.from({ length: perClass }, (_, i) => {
      const hash = ((label * 1000 + i + 1) * 2654435761 % 2 ** 32).toString(16).padStart(8, '0').repeat(8);
      return { name: `${name}/${i}.png`, label, hash };
    }),
  );
  const dataset = createDataset(CLASSES, items, (item) => {
    if (broken.includes(item.name)) return Promise.reject(new ImageError(item.name, 'it ends in the middle'));
    return Promise.resolve(draw(item));
  });
  return { classes: CLASSES, ...split(dataset, 0.25), report: { found: items.length, skipped: [], duplicates: [], conflicts: [], warnings: [] } };
}

export function stripesClassifier(gpu: Gpu, seed = 3): Classifier {
  return randomClassifier(gpu, 'resnet18', CLASSES, { width: 4, preprocessing, seed });
}

export function memoryStore(): CheckpointStore & { saves: Uint8Array<ArrayBuffer>[] } {
  const saves: Uint8Array<ArrayBuffer>[] = [];
  return { saves, load: () => Promise.resolve(saves.at(-1)), save: (bytes) => Promise.resolve(void saves.push(bytes)) };
}

/** Names whose tensors differ in a bit. */
export function differing(a: StateDict, b: StateDict): string[] {
  const bytes = (s: StateDict, name: string): string => Buffer.from((s.get(name)?.data as Float32Array).buffer).toString('base64');
  return [...a.keys()].filter((name) => bytes(a, name) !== bytes(b, name));
}
