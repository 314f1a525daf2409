/** What there is of runs when none goes on: the last result, and a run that was broken off. The `run` slice between runs. */
import type { FineTuneResult } from '../../../src/index';
import type { InterruptedRun, RunState } from '../../shared/protocol';
import type { Models } from '../engine/models';
import type { Project } from '../project/project';
import { RunFiles } from './files';
import { inputsOf, whyAnew, type ResultRecord, type RunRecord } from './record';

export class Outcome {
  readonly #models: Models;
  readonly #tell: (run: RunState) => void;
  #files: RunFiles | undefined;
  #project: Project | undefined;
  #result: ResultRecord | undefined;
  #broken: RunRecord | undefined;

  constructor(models: Models, tell: (run: RunState) => void) {
    this.#models = models;
    this.#tell = tell;
  }

  /** Reads what is kept of a project that was opened. */
  async open(project: Project): Promise<void> {
    this.#project = project;
    this.#files = new RunFiles(project);
    const [kept, broken] = await Promise.all([this.#files.loadResult().catch(() => undefined), this.#files.loadRun()]);
    this.#result = kept?.result;
    this.#broken = broken;
    this.#models.setTrained(kept?.model);
    this.tell();
  }

  /** Before a run: what to go back to when nothing comes of it. */
  get before(): RunState {
    return this.#result?.run ?? { kind: 'idle' };
  }

  /** A run begins, or has ended with the state that tells so. */
  begun(): void {
    this.#broken = undefined;
  }

  ended(result: ResultRecord | undefined): void {
    if (result) this.#result = result;
  }

  /** The state between runs. */
  tell(): void {
    this.#tell(this.#broken ? this.#interrupted(this.#broken) : this.before);
  }

  /** After changes to the project: whether a run that was broken off can still go on. */
  projectChanged(): void {
    if (this.#broken) this.tell();
  }

  async discardRun(): Promise<void> {
    if (!this.#broken) return;
    this.#broken = undefined;
    await this.#files?.forgetRun();
    this.tell();
  }

  /** A class is called otherwise now, in the model too. */
  async rename(id: number, name: string): Promise<void> {
    const result = this.#result;
    const model = this.#models.trained;
    const at = result?.classes.findIndex((one) => one.id === id) ?? -1;
    if (!result || !model || at === -1) return;
    const names = result.run.classes.map((old, i) => (i === at ? name : old));
    this.#result = { ...result, run: { ...result.run, classes: names } };
    const card = { ...model.card, classes: names };
    this.#models.renameTrained(card);
    await this.#files?.saveNames(this.#result, { ...model, card });
    if (!this.#broken) this.tell();
  }

  #interrupted({ inputs, features, epochs, history, bestEpoch, curve, notes }: RunRecord): InterruptedRun {
    const anew = this.#project ? whyAnew(inputs, inputsOf(this.#project.record)) : null;
    return { kind: 'interrupted', epoch: history.length, features: features ?? null, epochs, history, bestEpoch, curve, notes, anew };
  }
}

/** For the model card: everything but what concerns single images. */
export function trainingFacts({ validation, ...rest }: FineTuneResult): unknown {
  return { ...rest, validation: validation && { count: validation.count, loss: validation.loss, accuracy: validation.accuracy } };
}
