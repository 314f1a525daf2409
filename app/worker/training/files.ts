/** The files of a project's run: its checkpoint, its features, its record, and the model that came out of it. */
import { parseModelCard, type CheckpointStore, type FeatureStore, type ModelCard } from '../../../src/index';
import type { Project } from '../project/project';
import { readText, type Disk } from '../storage/disk';
import type { Kept } from '../storage/keeping';
import { packFeatures, unpackFeatures } from './featureFile';
import type { ModelFiles, ResultRecord, RunRecord } from './record';

/** After a write that failed, the next large ones are spared the disk for so long, in milliseconds. */
const REST = 30_000;
/** Sets of features that are kept besides the latest. */
const OTHERS = 2;

export class RunFiles {
  readonly #project: Project;
  readonly #folder: string;
  #restUntil = 0;
  /** What the disk did not take. */
  #checkpointInMemory: Uint8Array<ArrayBuffer> | undefined;

  constructor(project: Project) {
    this.#project = project;
    this.#folder = project.folder;
  }

  /** `onSaved` runs after each checkpoint: what is written then belongs to it. */
  checkpoint(onSaved: () => Promise<void>): CheckpointStore {
    const path = `${this.#folder}/checkpoint.safetensors`;
    return {
      load: async () => {
        if (this.#checkpointInMemory) return this.#checkpointInMemory;
        const blob = await this.#project.disk.read(path);
        return blob && new Uint8Array(await blob.arrayBuffer());
      },
      save: async (bytes) => {
        const kept = await this.#write('the state of training', path, bytes);
        this.#checkpointInMemory = kept ? undefined : bytes;
        if (kept) await onSaved();
      },
    };
  }

  features(): FeatureStore {
    const folder = `${this.#folder}/features`;
    const { disk } = this.#project;
    return {
      load: async (fingerprint) => {
        const blob = await disk.read(`${folder}/${fingerprint}`);
        return blob ? unpackFeatures(await blob.arrayBuffer()) : new Map();
      },
      add: async (fingerprint, features) => {
        const path = `${folder}/${fingerprint}`;
        const before = await disk.read(path);
        await prune(disk, folder, fingerprint);
        await this.#write('features of the pictures', path, packFeatures(features, before));
      },
    };
  }

  async loadRun(): Promise<RunRecord | undefined> {
    return this.#readJson<RunRecord>('run.json');
  }

  async saveRun(record: RunRecord): Promise<void> {
    await this.#write('the state of training', `${this.#folder}/run.json`, JSON.stringify(record));
  }

  async forgetRun(): Promise<void> {
    this.#checkpointInMemory = undefined;
    await this.#project.disk.remove(`${this.#folder}/run.json`);
    await this.#project.disk.remove(`${this.#folder}/checkpoint.safetensors`);
  }

  /** The model that was trained last and what is known of its run. */
  async loadResult(): Promise<{ result: ResultRecord; model: ModelFiles } | undefined> {
    const result = await this.#readJson<ResultRecord>('result.json');
    const weights = await this.#project.disk.read(`${this.#folder}/model.safetensors`);
    const cardText = await readText(this.#project.disk, `${this.#folder}/model.json`);
    if (!result || !weights || cardText === undefined) return undefined;
    return { result, model: { weights, card: parseModelCard(cardText, 'model.json') } };
  }

  /** The result comes last: where it is, the model is whole. */
  async saveResult(result: ResultRecord, model: ModelFiles): Promise<void> {
    const run = await readText(this.#project.disk, `${this.#folder}/run.json`);
    const save = (): Promise<boolean> => this.#saveWhole(result, model, run);
    this.#project.settled('names');
    if (await save()) this.#project.settled('model');
    else this.#project.retry('model', save);
  }

  /** After classes were renamed. */
  async saveNames(result: ResultRecord, model: ModelFiles): Promise<void> {
    if (this.#project.refuses('model')) return this.saveResult(result, model);
    const save = async (): Promise<boolean> => await this.#saveCard(model.card) && this.#saveRecord(result);
    if (await save()) this.#project.settled('names');
    else this.#project.retry('names', save);
  }

  /** `run`: the record of the run that made it. A later one's is left alone. */
  async #saveWhole(result: ResultRecord, model: ModelFiles, run: string | undefined): Promise<boolean> {
    const path = `${this.#folder}/result.json`;
    const before = await readText(this.#project.disk, path);
    await this.#project.disk.remove(path);
    if (!(await this.#write('the trained model', `${this.#folder}/model.safetensors`, model.weights, true))) {
      // The last one's weights are still there, so that one stays.
      if (before !== undefined) await this.#project.disk.write(path, before).catch(() => undefined);
      return false;
    }
    if (!(await this.#saveCard(model.card) && await this.#saveRecord(result))) return false;
    if ((await readText(this.#project.disk, `${this.#folder}/run.json`)) === run) {
      await this.forgetRun();
      // Neither is missed any more: a snapshot of a run that has ended, and features that can be computed again.
      this.#project.keeping.note('the state of training');
      this.#project.keeping.note('features of the pictures');
    }
    return true;
  }

  #saveRecord(result: ResultRecord): Promise<boolean> {
    return this.#write('the trained model', `${this.#folder}/result.json`, JSON.stringify(result), true);
  }

  #saveCard(card: ModelCard): Promise<boolean> {
    return this.#write('the trained model', `${this.#folder}/model.json`, `${JSON.stringify(card, null, 2)}\n`, true);
  }

  /** Whether it was kept. Failing is told, and is no reason for training to end. */
  async #write(what: Kept, path: string, contents: Blob | Uint8Array<ArrayBuffer> | string, important = false): Promise<boolean> {
    if (this.#project.closed || (!important && performance.now() < this.#restUntil)) return false;
    try {
      await this.#project.disk.write(path, contents);
      this.#project.keeping.note(what);
      return true;
    } catch (error) {
      this.#restUntil = performance.now() + REST;
      this.#project.keeping.note(what, error);
      return false;
    }
  }

  async #readJson<T>(name: string): Promise<T | undefined> {
    const text = await readText(this.#project.disk, `${this.#folder}/${name}`);
    try {
      return text === undefined ? undefined : JSON.parse(text) as T;
    } catch {
      return undefined; // it can be done without: training begins anew
    }
  }
}

/** Features of weights that were not used lately are seldom wanted again. */
async function prune(disk: Disk, folder: string, but: string): Promise<void> {
  const others = await Promise.all((await disk.list(folder)).filter((name) => name !== but).map(async (name) => {
    const file = await disk.read(`${folder}/${name}`);
    return { path: `${folder}/${name}`, time: file instanceof File ? file.lastModified : 0 };
  }));
  others.sort((a, b) => b.time - a.time);
  for (const { path } of others.slice(OTHERS)) await disk.remove(path);
}
