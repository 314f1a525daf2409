/** Where networks to start from come from: the one that ships, published ones, and files that were dropped. */
import {
  Classifier, PUBLISHED_WEIGHTS, UsageError, WeightsError, blobSource, checkPreprocessing, classifierFrom, imagenetClasses, openWeights,
  parseModelCard, publishedWeights, type Gpu, type ModelCard, type PublishedWeights,
} from '../../../src/index';
import type { BaseChoice, BaseState } from '../../shared/protocol';
import { siteFile } from '../files';
import { sha256 } from '../input/picture';
import type { BaseRecord } from '../project/record';
import type { Disk } from '../storage/disk';
import { oneAtATime } from '../storage/locks';
import { download } from '../../../src/weights/download';
import { unpackedModel } from '../input/modelArchive';

/** A network that can be loaded, on any device and as often as one likes: always the same weights. */
export interface Base {
  readonly title: string;
  readonly record: BaseRecord;
  readonly files: readonly File[];
  open(gpu: Gpu): Promise<Classifier>;
}

export interface FindOptions {
  /** For what all projects share. */
  readonly disk: Disk;
  readonly signal: AbortSignal;
  readonly tell: (state: BaseState) => void;
  /** Weights that could be used but not kept for the next time. */
  readonly onUnkept: (error: unknown) => void;
}

/** @throws WeightsError or UsageError with what is wrong with it. Whether it holds a network shows when it is opened. */
export function findBase(choice: BaseChoice, options: FindOptions): Promise<Base> {
  if (choice.kind === 'shipped') return shipped(options);
  if (choice.kind === 'published') return published(publishedWeights(choice.name), options);
  return unpackedModel(choice.files).then(fromFiles);
}

export function titleOf(choice: BaseChoice): string {
  if (choice.kind === 'shipped') return "Graft's glyph base";
  if (choice.kind === 'published') return PUBLISHED_WEIGHTS.find(({ name }) => name === choice.name)?.enumName ?? choice.name;
  return choice.files.find(({ name }) => !/\.json$/i.test(name))?.name ?? 'dropped files';
}

async function shipped({ signal, tell }: FindOptions): Promise<Base> {
  const title = titleOf({ kind: 'shipped' });
  const onProgress = ({ receivedBytes, totalBytes }: { receivedBytes: number; totalBytes: number | null }): void =>
    tell({ kind: 'loading', title, receivedBytes, totalBytes, doing: 'downloading' });
  const [cardText, weights] = await Promise.all([
    download(siteFile('base/model.json'), { signal }), download(siteFile('base/model.safetensors'), { signal, onProgress }),
  ]);
  const blob = new Blob([weights]);
  const card = parseModelCard(new TextDecoder().decode(cardText), 'model.json');
  return { title, record: { kind: 'shipped' }, files: [], open: (gpu) => openFile(gpu, blob, 'model.safetensors', { card, base: 'base' }) };
}

async function published(weights: PublishedWeights, options: FindOptions): Promise<Base> {
  const title = weights.enumName;
  const blob = await oneAtATime(`weights-${weights.name}`, () => keptOrDownloaded(weights, title, options));
  const { resizeSize, cropSize, interpolation, mean, std } = weights.preprocessing;
  const preprocessing = checkPreprocessing({ resizeSize, cropSize, interpolation, mean, std });
  const classes = await imagenetClasses();
  return {
    title, record: { kind: 'published', name: weights.name }, files: [],
    async open(gpu) {
      const loaded = await openFile(gpu, blob, weights.file, { base: weights.name, preprocessing });
      return new Classifier(loaded.network, { classes, preprocessing, base: weights.name, notes: loaded.notes });
    },
  };
}

/** Published weights, checked. Once they are on the disk no network is needed. */
async function keptOrDownloaded(weights: PublishedWeights, title: string, { disk, signal, tell, onUnkept }: FindOptions): Promise<Blob> {
  const path = `weights/${weights.file}`;
  const kept = await disk.read(path);
  if (kept) {
    tell({ kind: 'loading', title, receivedBytes: kept.size, totalBytes: kept.size, doing: 'checking' });
    if ((await sha256(kept)).startsWith(weights.sha256Prefix)) return kept;
    await disk.remove(path);
  }
  const onProgress = ({ receivedBytes, totalBytes }: { receivedBytes: number; totalBytes: number | null }): void =>
    tell({ kind: 'loading', title, receivedBytes, totalBytes: totalBytes ?? Math.round(weights.sizeMiB * 2 ** 20), doing: receivedBytes === totalBytes ? 'checking' : 'downloading' });
  onProgress({ receivedBytes: 0, totalBytes: null });
  const bytes = await download(weights.url, { signal, sha256Prefix: weights.sha256Prefix, onProgress });
  const blob = new Blob([bytes]);
  try {
    await disk.write(path, blob);
  } catch (error) {
    onUnkept(error);
    return blob;
  }
  return (await disk.read(path)) ?? blob;
}

/** @throws UsageError when there is not exactly one weights file. */
export function fromFiles(files: readonly File[]): Base {
  const cards = files.filter(({ name }) => /\.json$/i.test(name));
  const rest = files.filter((file) => !cards.includes(file));
  if (rest.length !== 1 || cards.length > 1) {
    throw new UsageError(`A base is one weights file (.safetensors, .pth or .pt) and, if there is one, its model.json; got ${files.length === 0 ? 'no file' : files.map(({ name }) => name).join(', ')}.`);
  }
  const [weights] = rest;
  const [cardFile] = cards;
  return {
    title: weights.name, record: { kind: 'files', names: files.map(({ name }) => name) }, files,
    async open(gpu) {
      const card = cardFile && parseModelCard(await cardFile.text(), cardFile.name);
      return openFile(gpu, weights, weights.name, { ...(card && { card }), base: weights.name });
    },
  };
}

async function openFile(gpu: Gpu, blob: Blob, name: string, { base, ...options }: { card?: ModelCard; base: string; preprocessing?: ModelCard['preprocessing'] }): Promise<Classifier> {
  try {
    const file = await openWeights(blobSource(blob, name));
    try {
      const { network, preprocessing, notes } = await classifierFrom(gpu, file, { ...options, name });
      return new Classifier(network, { classes: options.card?.classes ?? null, preprocessing, base, notes });
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DOMException) throw new WeightsError(`${name} cannot be read (${error.message}); it was changed or moved since it was chosen: choose it again`, { cause: error });
    throw error;
  }
}
