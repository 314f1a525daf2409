/**
 * Models in a browser: from a URL, or from a file the page was given. (Node's `load` also knows names and folders.)
 *
 * A first visit waits for the network, the device and the compiler. Here they wait for each other as little as may be:
 * the device opens while the files are fetched, the first bytes of the weights tell the network, its pipelines compile
 * while the rest arrives, and tensors go to the device as they come.
 */
import { defaultGpu } from '../gpu/device';
import type { Gpu } from '../gpu/gpu';
import { browserTuningStore } from '../tune/browserStore';
import { applyTuningOnce } from '../tune/table';
import { blobSource, bytesSource } from '../weights/byteSource';
import { Download, download, fileName, type DownloadOptions } from '../weights/download';
import { openWeights } from '../weights/open';
import type { WeightsFile } from '../weights/weightsFile';
import { classifierFrom, parseModelCard, type Classifier, type LoadOptions, type ModelCard } from './classifier';

export interface LoadBlobOptions extends LoadOptions, Pick<DownloadOptions, 'onProgress' | 'signal' | 'sha256Prefix'> {
  /** A device, or one that is being opened. Default: one opened once for the page. */
  readonly gpu?: Gpu | Promise<Gpu>;
  /** The model card that belongs to a file; a folder's URL brings its own. */
  readonly card?: ModelCard;
}

/**
 * Loads a model with its classes and the preprocessing bound to its weights.
 *
 * @param what URL of a model folder (`model.json` and `model.safetensors` in it) or of a weights file (.safetensors,
 * .pth, .pt), or the file itself, as dropped or chosen. Progress, signal and hash are of the weights' download.
 * @throws WeightsError when it cannot be fetched or read, or has another hash; DeviceError without an adapter; the
 * signal's reason when it is aborted.
 */
export async function load(what: string | URL | Blob, options: LoadBlobOptions = {}): Promise<Classifier> {
  const { gpu, card, onProgress, signal, sha256Prefix, ...rest } = options;
  const device = Promise.resolve(gpu ?? tunedGpu());
  device.catch(() => undefined); // thrown where it is awaited
  if (what instanceof Blob) {
    const name = what instanceof File ? what.name : 'weights';
    return build(openWeights(blobSource(what, name)), device, { ...rest, name, ...(card && { card }) });
  }
  const url = String(what);
  const isFile = /\.(safetensors|pth|pt)$/.test(url.replace(/[?#].*$/, ''));
  const folder = url.replace(/\/?$/, '/');
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const weights = new Download(isFile ? url : `${folder}model.safetensors`, { signal: stop, ...(onProgress && { onProgress }), ...(sha256Prefix !== undefined && { sha256Prefix }) });
  try {
    const found = isFile ? card : await cardAt(`${folder}model.json`, stop);
    const name = fileName(weights.url);
    const classifier = await build(openArriving(weights, name), device, { compileFor: [1], ...rest, name, ...(found && { card: found }) });
    try {
      await weights.whole; // for its hash
    } catch (error) {
      classifier.dispose();
      throw error;
    }
    return classifier;
  } catch (error) {
    failed.abort();
    signal?.throwIfAborted(); // rather than what the abort broke
    throw error;
  }
}

async function build(opening: Promise<WeightsFile>, device: Promise<Gpu>, options: Parameters<typeof classifierFrom>[2]): Promise<Classifier> {
  const [file, gpu] = await Promise.all([opening, device]);
  try {
    return await classifierFrom(gpu, file, options);
  } finally {
    await file.close();
  }
}

/** The page's device, with what was tuned for it. A device of the caller's is as the caller made it. */
async function tunedGpu(): Promise<Gpu> {
  const gpu = await defaultGpu();
  await applyTuningOnce(gpu, browserTuningStore(), (message) => console.warn(`graft: ${message}`));
  return gpu;
}

async function cardAt(url: string, signal: AbortSignal): Promise<ModelCard> {
  return parseModelCard(new TextDecoder().decode(await download(url, { signal })), url);
}

/** The file's table of contents, as early as its bytes are there: at the start of .safetensors, at the end of .pth. */
async function openArriving(weights: Download, name: string): Promise<WeightsFile> {
  const source = await weights.source(name);
  try {
    return await openWeights(source);
  } catch (error) {
    const bytes = await weights.whole;
    if (bytes.byteLength === source.size) throw error;
    return openWeights(bytesSource(bytes, name)); // the server compressed it without a word: its size was another's
  }
}
