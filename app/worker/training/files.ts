/** The files of a project's run: its checkpoint, its record, and the model that came out of it. */
import { parseModelCard, type CheckpointStore, type ModelCard } from '../../../src/index';
import type { Project } from '../project/project';
import { readText } from '../storage/disk';
import type { ModelFiles, ResultRecord, RunRecord } from './record';

export class RunFiles {
  readonly #project: Project;
  readonly #folder: string;
  /** What the disk did not take. */
  #checkpointInMemory: Uint8Array<ArrayBuffer> | undefined;

  constructor(project: Project) {
    this.#project = project;
    this.#folder = project.folder;
  }

  /** Whether there is something for a run to go on from, beside the features of its pictures. */
  async hasCheckpoint(): Promise<boolean> {
    return await this.#project.disk.read(this.#checkpoint) !== undefined;
  }

  /** `onSaved` runs after each checkpoint: what is written then belongs to it. */
  checkpoint(onSaved: () => Promise<void>): CheckpointStore {
    return {
      load: async () => {
        if (this.#checkpointInMemory) return this.#checkpointInMemory;
        const blob = await this.#project.disk.read(this.#checkpoint);
        return blob && new Uint8Array(await blob.arrayBuffer());
      },
      save: async (bytes) => {
        const kept = await this.#project.writer.write('the state of training', this.#checkpoint, bytes);
        this.#checkpointInMemory = kept ? undefined : bytes;
        if (kept) await onSaved();
      },
    };
  }

  async loadRun(): Promise<RunRecord | undefined> {
    return this.#readJson<RunRecord>('run.json');
  }

  async saveRun(record: RunRecord): Promise<void> {
    await this.#project.writer.write('the state of training', `${this.#folder}/run.json`, JSON.stringify(record));
  }

  async forgetRun(): Promise<void> {
    this.#checkpointInMemory = undefined;
    await this.#project.disk.remove(`${this.#folder}/run.json`);
    await this.#project.disk.remove(this.#checkpoint);
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
    if (!(await this.#project.writer.write('the trained model', `${this.#folder}/model.safetensors`, model.weights, { important: true }))) {
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
    return this.#project.writer.write('the trained model', `${this.#folder}/result.json`, JSON.stringify(result), { important: true });
  }

  #saveCard(card: ModelCard): Promise<boolean> {
    return this.#project.writer.write('the trained model', `${this.#folder}/model.json`, `${JSON.stringify(card, null, 2)}\n`, { important: true });
  }

  get #checkpoint(): string {
    return `${this.#folder}/checkpoint.safetensors`;
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
