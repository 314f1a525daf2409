/** One way in for every kind of model: a folder, a weights file, a published name, the base that ships, or none at all. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import { UsageError, suggest } from '../errors';
import { defaultGpu } from '../gpu/device';
import type { Gpu } from '../gpu/gpu';
import { IMAGENET_PREPROCESSING, checkPreprocessing } from '../data/preprocess';
import type { Preprocessing } from '../data/preprocess';
import { ARCHITECTURES, ResNet, architectureName } from '../models/resnet';
import { Classifier } from '../transfer/classifier';
import type { LoadOptions } from '../transfer/classifier';
import { assertPrecision } from '../transfer/precision';
import { PUBLISHED_WEIGHTS, findPublishedWeights, imagenetClasses } from '../weights/manifest';
import type { PublishedWeights } from '../weights/manifest';
import { fetchWeights } from './fetchWeights';
import type { FetchOptions } from './fetchWeights';
import { loadFile, loadModelDir, pathKind, readModelCard } from './modelDir';
import type { OpenDevice } from './modelDir';
import { packageRoot } from './packageRoot';
import { loadTuning } from './tuneStore';

export interface LoadModelOptions extends LoadOptions {
  /** A device, or what opens one when it is needed. Default: one opened once for the process. */
  readonly gpu?: Gpu | (() => Promise<Gpu>);
  /**
   * Where an architecture's weights come from: a file, the name of published ones, or null for random ones. Beside a
   * model folder only null makes sense: the same network, untrained. Default: what is published for the architecture.
   */
  readonly weights?: string | null;
  /** Channels of the first stage, for random weights. Default 64. */
  readonly width?: number;
  /** For weights that must be downloaded first. */
  readonly fetch?: FetchOptions;
}

/**
 * Loads a model with its classes and the preprocessing bound to its weights.
 *
 * @param what a folder that `saveModel` wrote, a weights file (.pth, .pt, .safetensors), the name of published weights
 * or of an architecture (`resnet18`: its default published weights, downloaded when they are not in the cache), or
 * `'base'`, the small network that ships with Graft. A folder called `base` is `./base`.
 * @throws UsageError for a name nobody knows; WeightsError when a file is missing, damaged, of another architecture, or
 * cannot be downloaded; DeviceError without an adapter.
 */
export async function load(what: string, options: LoadModelOptions = {}): Promise<Classifier> {
  const { gpu: given, weights, width, fetch, ...rest } = options;
  // Opened last: a wrong name or a missing file needs no adapter to be told.
  const open: OpenDevice = () => (typeof given === 'function' ? given() : given ? Promise.resolve(given) : tunedGpu());
  const dir = what === 'base' ? join(packageRoot(), 'weights', 'base') : what;
  const kind = await pathKind(dir);
  if (kind === 'folder') {
    if (weights === null) return untrained(open, dir, rest);
    if (weights !== undefined) throw new UsageError(`load: '${what}' is a model folder and brings its weights; give weights beside an architecture's name, such as resnet18`);
    return relabel(await loadModelDir(open, dir, rest), what === 'base' ? 'base' : undefined);
  }
  if (kind === 'file') {
    if (weights !== undefined) throw new UsageError(`load: '${what}' is a weights file itself; give weights beside an architecture's name, such as resnet18`);
    return fromFile(open, dir, rest);
  }
  if (what === 'base') throw new UsageError(`load: the base is missing from this installation (${dir}); install graft-gpu again`);
  const published = findPublishedWeights(what);
  if (!published && !Object.hasOwn(ARCHITECTURES, what)) throw unknownModel(what);
  const architecture = Object.hasOwn(ARCHITECTURES, what) ? what : (published as PublishedWeights).arch;
  if (weights === null) return randomNetwork(await open(), architecture, { ...rest, ...(width !== undefined && { width }) });
  const wanted = weights ?? what;
  const named = findPublishedWeights(wanted);
  if (weights !== undefined && ((await pathKind(weights)) !== 'absent' || !named)) {
    if (!named && !looksLikePath(weights)) {
      throw new UsageError(`there is no file '${weights}', and no published weights of that name.${suggest(weights, PUBLISHED_WEIGHTS.map(({ name }) => name))}`);
    }
    return fromFile(open, weights, { ...rest, architecture });
  }
  if (!named) throw unknownModel(wanted);
  if (named.arch !== architecture) throw new UsageError(`the weights '${wanted}' are of a ${named.arch}, not of a ${architecture}; ask for ${named.arch}, or for other weights`);
  const { path } = await fetchWeights(named.name, fetch);
  return loadPublished(open, path, named, { ...rest, architecture });
}

/** The process's device, with what was tuned for it. A device of the caller's is as the caller made it. */
async function tunedGpu(): Promise<Gpu> {
  const gpu = await defaultGpu();
  await loadTuning(gpu);
  return gpu;
}

/** A file on disk. One that is a published file, by its name and hash, brings its classes and preprocessing. */
async function fromFile(open: OpenDevice, path: string, options: LoadOptions): Promise<Classifier> {
  const named = findPublishedWeights(basename(path));
  const isFile = (await pathKind(path)) === 'file';
  if (named && isFile && basename(path) === named.file) {
    if ((await sha256(path)).startsWith(named.sha256Prefix)) return loadPublished(open, path, named, options);
    const note = `${basename(path)} is not the published file of that name (its SHA-256 differs); it is used as it is.`;
    return loadFile(open, path, options, basename(path), { notes: [note] });
  }
  return loadFile(open, path, options, basename(path));
}

async function loadPublished(open: OpenDevice, path: string, weights: PublishedWeights, options: LoadOptions): Promise<Classifier> {
  const { resizeSize, cropSize, interpolation, mean, std } = weights.preprocessing;
  const preprocessing: Preprocessing = options.preprocessing ?? checkPreprocessing({ resizeSize, cropSize, interpolation, mean, std });
  const classes = await imagenetClasses();
  return loadFile(open, path, { ...options, preprocessing }, weights.name, { classes });
}

/** The network of a model folder with random weights: what training from scratch starts from. */
async function untrained(open: OpenDevice, dir: string, options: LoadOptions): Promise<Classifier> {
  const { architecture, width, classes, preprocessing } = await readModelCard(dir);
  if (options.architecture !== undefined && architectureName(options.architecture) !== architecture) {
    throw new UsageError(`${dir} holds a ${architecture}, not a ${options.architecture}`);
  }
  return randomNetwork(await open(), architecture, { preprocessing, ...(classes && { classes }), ...options, width });
}

function randomNetwork(gpu: Gpu, architecture: string, options: LoadOptions & { readonly width?: number }): Classifier {
  const { classes, width = 64, preprocessing = IMAGENET_PREPROCESSING, seed = 0, precision = 'float32' } = options;
  assertPrecision(gpu, precision);
  const network = new ResNet(gpu, architectureName(architecture), { numClasses: classes?.length ?? 1000, width, seed, dtype: precision === 'float16' ? 'f16' : 'f32' });
  const classifier = new Classifier(network, { classes: null, preprocessing: checkPreprocessing(preprocessing) });
  if (classes) classifier.setClasses(classes, seed);
  return classifier;
}

function relabel(loaded: Classifier, base: string | undefined): Classifier {
  if (base === undefined) return loaded;
  const { network, preprocessing, notes } = loaded;
  return new Classifier(network, { classes: loaded.card().classes, preprocessing, base, notes });
}

function looksLikePath(text: string): boolean {
  return /[\\/]/.test(text) || /\.(pth|pt|safetensors|bin|ckpt|tar)$/i.test(text);
}

function unknownModel(what: string): UsageError {
  if (looksLikePath(what)) return new UsageError(`there is no file or folder '${what}'; check the path`);
  const names = [...Object.keys(ARCHITECTURES), 'base', ...PUBLISHED_WEIGHTS.map(({ name }) => name)];
  return new UsageError(`no model is called '${what}', and there is no such file or folder.${suggest(what, names)}`);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
