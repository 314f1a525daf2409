/** Models in a browser: from a URL, or from a file the page was given. (Node's `load` also knows names and folders.) */
import { WeightsError } from '../errors';
import { defaultGpu } from '../gpu/device';
import type { Gpu } from '../gpu/gpu';
import { browserTuningStore } from '../tune/browserStore';
import { applyTuningOnce } from '../tune/table';
import { blobSource } from '../weights/byteSource';
import { openWeights } from '../weights/open';
import { classifierFrom, parseModelCard, type Classifier, type LoadOptions, type ModelCard } from './classifier';

export interface LoadBlobOptions extends LoadOptions {
  /** Default: a device opened once for the page. */
  readonly gpu?: Gpu;
  /** The model card that belongs to a file; a folder's URL brings its own. */
  readonly card?: ModelCard;
}

/**
 * Loads a model with its classes and the preprocessing bound to its weights.
 *
 * @param what URL of a model folder (`model.json` and `model.safetensors` in it) or of a weights file (.safetensors,
 * .pth, .pt), or the file itself, as dropped or chosen
 * @throws WeightsError when it cannot be fetched or read; DeviceError without an adapter.
 */
export async function load(what: string | URL | Blob, { gpu, card, ...options }: LoadBlobOptions = {}): Promise<Classifier> {
  if (what instanceof Blob) {
    const name = what instanceof File ? what.name : 'weights';
    return fromBlob(what, name, { ...options, ...(card && { card }) }, gpu);
  }
  const url = String(what);
  if (/\.(safetensors|pth|pt)$/.test(url.replace(/[?#].*$/, ''))) {
    return fromBlob(await fetched(url), fileName(url), { ...options, ...(card && { card }) }, gpu);
  }
  const folder = url.replace(/\/?$/, '/');
  const found = parseModelCard(await (await fetched(`${folder}model.json`)).text(), `${folder}model.json`);
  return fromBlob(await fetched(`${folder}model.safetensors`), 'model.safetensors', { ...options, card: found }, gpu);
}

async function fromBlob(blob: Blob, name: string, options: LoadOptions & { card?: ModelCard }, gpu: Gpu | undefined): Promise<Classifier> {
  const file = await openWeights(blobSource(blob, name));
  try {
    return await classifierFrom(gpu ?? (await tunedGpu()), file, { ...options, name });
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

async function fetched(url: string): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new WeightsError(`${url} could not be fetched: ${(error as Error).message}; check the address, and that its server allows this page (CORS)`);
  }
  if (!response.ok) throw new WeightsError(`${url} could not be fetched: the server answered ${response.status} ${response.statusText}; check the address`);
  return response.blob();
}

function fileName(url: string): string {
  return decodeURIComponent(url.replace(/[?#].*$/, '').split('/').at(-1) ?? url);
}
