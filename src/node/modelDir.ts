/**
 * A model on disk: a folder with `model.safetensors` and `model.json`. Each file is replaced whole or not at all, and
 * no folder that holds anything else is written to.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { GraftError, StateDictError, UsageError, WeightsError } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Classifier, classifierFrom, parseModelCard } from '../transfer/classifier';
import type { LoadOptions, ModelCard } from '../transfer/classifier';
import { openWeights } from '../weights/open';
import { describeFileError, errorCode } from './fileErrors';
import { openFile } from './fileSource';
import { makeFolder, writeFileAtomic } from './writeFile';

export const MODEL_CARD = 'model.json';
export const MODEL_WEIGHTS = 'model.safetensors';
/** Where a run keeps its state, so that it can be resumed. */
export const CHECKPOINT = 'checkpoint.safetensors';

/** Opens the device when it is needed: after what can be checked without one. */
export type OpenDevice = () => Promise<Gpu>;

/** What a folder is to someone about to write a model into it. */
export type FolderKind = 'absent' | 'empty' | 'model' | 'unfinished' | 'foreign';

/**
 * `model`: holds a model of Graft's. `unfinished`: a run's checkpoint and no model yet. `foreign`: anything else.
 * @throws GraftError when the path is a file, or cannot be read.
 */
export async function folderKind(dir: string): Promise<FolderKind> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'absent';
    const reason = errorCode(error) === 'ENOTDIR' ? 'it is a file, or lies below one. Name a folder' : describeFileError(error);
    throw new GraftError(`cannot use ${dir} as an output folder: ${reason}.`, { cause: error });
  }
  if (names.includes(MODEL_CARD)) {
    const text = await readFile(join(dir, MODEL_CARD), 'utf8').catch(() => '');
    return /"format"\s*:\s*"graft-model-\d+"/.test(text) ? 'model' : 'foreign';
  }
  if (names.includes(CHECKPOINT)) return 'unfinished';
  // Leavings of the system's file browser and of a write that was killed count for nothing.
  return names.some((name) => !(name.startsWith('.') && /^\.(DS_Store$|.*\.tmp$)/.test(name))) ? 'foreign' : 'empty';
}

export interface SaveOptions {
  /** Told in the card under `training`. */
  readonly training?: unknown;
  /** Write into a folder that holds other things than a model; those stay. Default false. */
  readonly force?: boolean;
}

/**
 * Saves a model into a folder, which is made where there is none. A model that Graft saved there before is replaced,
 * file by file; a folder that holds anything else is refused unless `force`.
 * @throws UsageError for such a folder; GraftError when the disk refuses, with what was there before intact.
 */
export async function saveModel(classifier: Classifier, dir: string, { training, force = false }: SaveOptions = {}): Promise<void> {
  if (!force && (await folderKind(dir)) === 'foreign') {
    throw new UsageError(`${dir} is not empty and holds no model of Graft's; choose another folder, or use force to write beside what is there`);
  }
  const files = await classifier.toFiles(training);
  await makeFolder(dir);
  await writeFileAtomic(join(dir, MODEL_WEIGHTS), files[MODEL_WEIGHTS]);
  await writeFileAtomic(join(dir, MODEL_CARD), files[MODEL_CARD]);
}

/** The card of a model folder. @throws WeightsError when there is none, or it is damaged. */
export async function readModelCard(dir: string): Promise<ModelCard> {
  const path = join(dir, MODEL_CARD);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const why = errorCode(error) === 'ENOENT' ? `there is no ${MODEL_CARD} in it` : describeFileError(error);
    throw new WeightsError(`${dir} is no model folder: ${why}. Name a folder that graft finetune wrote, or a weights file.`, { cause: error });
  }
  return parseModelCard(text, path);
}

/**
 * Loads what `saveModel` saved.
 * @throws WeightsError when the folder holds no model, or its two files do not belong together.
 */
export async function loadModelDir(gpu: Gpu | OpenDevice, dir: string, options: LoadOptions = {}): Promise<Classifier> {
  const card = await readModelCard(dir);
  const path = join(dir, MODEL_WEIGHTS);
  return loadFile(typeof gpu === 'function' ? gpu : () => Promise.resolve(gpu), path, { ...options, card }, basename(resolve(dir)));
}

/**
 * Loads one weights file. Errors name it by its path, the model's card by `base`: a path of one machine means nothing
 * on another.
 */
export async function loadFile(
  open: OpenDevice, path: string, { card, ...options }: LoadOptions & { readonly card?: ModelCard }, base: string,
  known: { readonly classes?: readonly string[]; readonly notes?: readonly string[] } = {},
): Promise<Classifier> {
  const source = await openFile(path);
  try {
    const file = await openWeights(source);
    const { classes, ...rest } = options;
    const loaded = await classifierFrom(await open(), file, { ...rest, name: path, ...(card && { card }) });
    const names = card ? card.classes : known.classes?.length === loaded.network.numClasses ? known.classes : null;
    const classifier = new Classifier(loaded.network, {
      classes: names, preprocessing: loaded.preprocessing, base, notes: [...(known.notes ?? []), ...loaded.notes],
    });
    if (classes) classifier.setClasses(classes, options.seed ?? 0);
    return classifier;
  } catch (error) {
    if (error instanceof StateDictError) throw new StateDictError(`${path}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await source.close();
  }
}

/** Whether `path` is a folder, a file or nothing. @throws GraftError when the system does not tell. */
export async function pathKind(path: string): Promise<'folder' | 'file' | 'absent'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return 'absent';
    throw new GraftError(`cannot read ${path}: ${describeFileError(error)}.`, { cause: error });
  }
}
