/** A training run from start to end: on the base, with what the project says, kept as it goes, taken up where it broke off. */
import { Classifier, TrainingError, UsageError, evaluate, fineTuneWithRecovery, type Evaluation, type ImageCollection, type Recovered } from '../../../src/index';
import type { RunState, Settings } from '../../shared/protocol';
import type { Engine } from '../engine/engine';
import type { Models } from '../engine/models';
import type { Speeds } from '../engine/speeds';
import type { Turns } from '../engine/turns';
import { optionsOf, partsOn, recipeOf } from '../project/checks';
import { imagesOf } from '../project/classes';
import type { Project } from '../project/project';
import { collectionOf, warningsOf } from './collection';
import { RunFiles } from './files';
import { Live } from './live';
import { trainingFacts, type Outcome } from './outcome';
import { featuresName, inputsOf, trainedClasses, whyAnew, type EndedRun, type RunInputs, type RunRecord } from './record';

/** Seconds between snapshots within an epoch. */
const SNAPSHOT_EVERY = 5;

export interface TrainingDeps {
  readonly engine: Engine;
  readonly turns: Turns;
  readonly models: Models;
  readonly speeds: Speeds;
  readonly outcome: Outcome;
  readonly tell: (run: RunState) => void;
  readonly tellUsable: () => void;
}

/** What one run goes by. */
interface Going {
  readonly project: Project;
  readonly files: RunFiles;
  readonly abort: AbortController;
  readonly live: Live;
  readonly classes: RunRecord['classes'];
  readonly data: ImageCollection;
  readonly settings: Settings;
  readonly inputs: RunInputs;
  /** There is a snapshot to go on from. */
  readonly resume: boolean;
  /** The tab lets go of the project: what there is is for the next time. */
  abandoned: boolean;
  unpause: (() => void) | undefined;
  paused: Promise<void> | undefined;
}

export class Training {
  readonly #deps: TrainingDeps;
  #going: Going | undefined;
  #preparing = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(deps: TrainingDeps) {
    this.#deps = deps;
  }

  get running(): boolean {
    return this.#going !== undefined;
  }

  /**
   * Trains to the end, which the state tells.
   * @throws UsageError or DataError, and nothing happens, when there is nothing to train with.
   */
  async run(project: Project): Promise<void> {
    if (this.#going) throw new UsageError('Training is going on already; stop it first to train anew.');
    if (this.#preparing) throw new UsageError('Training is about to begin already.');
    this.#preparing = true;
    try {
      this.#going = await this.#prepare(project);
    } finally {
      this.#preparing = false;
    }
    this.#ended = this.#train(this.#going).finally(() => {
      this.#going = undefined;
    });
    return this.#ended;
  }

  pause(): void {
    const going = this.#running();
    if (going.paused) return;
    going.paused = new Promise((resolve) => (going.unpause = resolve));
    going.live.pause(true);
  }

  resume(): void {
    const going = this.#running();
    if (!going.paused) return;
    unpause(going);
    going.live.pause(false);
  }

  /** Ends the run with the best epoch so far. */
  stop(): void {
    const going = this.#running();
    going.abort.abort();
    unpause(going);
  }

  /** Ends the run, if there is one, so that it can be taken up again from its last snapshot. */
  async abandon(): Promise<void> {
    if (!this.#going) return;
    this.#going.abandoned = true;
    this.stop();
    await this.#ended;
  }

  #running(): Going {
    if (!this.#going) throw new UsageError('No training is going on.');
    return this.#going;
  }

  async #prepare(project: Project): Promise<Going> {
    const { record } = project;
    if (!this.#deps.models.base) throw new UsageError('There is no base to start from yet; choose one first.');
    const recipe = recipeOf(record.settings);
    const classes = trainedClasses(record.classes);
    const data = collectionOf(classes, project.pictures, record.settings.validationFraction);
    const files = new RunFiles(project);
    const inputs = inputsOf(record);
    const found = await files.loadRun();
    const before = found && whyAnew(found.inputs, inputs) === null ? found : undefined;
    if (found && !before) await files.forgetRun();
    // Names may have changed since; what was begun with them goes on with them.
    const names = before ? before.classes : classes.map(({ id, name }) => ({ id, name }));
    const pictureNames = new Map(imagesOf(record.classes).map(({ id, name }) => [id, name]));
    const live = new Live({
      ...(before ?? { notes: warningsOf(record.classes, classes, data) }),
      epochs: recipe.epochs, batchSize: recipe.batchSize, validation: data.validation.items.length,
      gpuBytes: () => this.#deps.engine.now?.memory().liveBytes ?? 0,
      nameOf: (id) => pictureNames.get(id) ?? id,
      onChange: (run) => this.#deps.tell(run),
    });
    const going: Going = {
      project, files, abort: new AbortController(), live, classes: names, settings: record.settings, inputs,
      resume: before !== undefined && await files.hasCheckpoint(),
      data: { ...data, classes: names.map(({ name }) => name) }, abandoned: false, unpause: undefined, paused: undefined,
    };
    this.#deps.outcome.begun();
    await files.saveRun(this.#record(going));
    // Told last: whoever hears of the run may pause or stop it at once.
    if (before) live.note(wentOn(before, going.resume));
    else live.set({});
    return going;
  }

  async #train(going: Going): Promise<void> {
    const { models, turns } = this.#deps;
    try {
      const ended = await turns.run(async () => {
        models.rest();
        const recovered = await this.#fineTune(going);
        await turns.settled();
        if (going.abandoned) {
          recovered.classifier.dispose();
          return undefined;
        }
        return this.#keep(going, recovered);
      });
      if (ended) this.#deps.tell(ended);
    } catch (error) {
      if (!going.abandoned) this.#deps.tell({ kind: 'failed', message: (error as Error).message, notes: going.live.now.notes });
    } finally {
      models.live = undefined;
      this.#deps.tellUsable();
    }
  }

  async #fineTune(going: Going): Promise<Recovered> {
    const { project, files, live, data, settings, abort, resume } = going;
    const { engine, models, turns } = this.#deps;
    const { adapter } = await engine.gpu();
    const parts = partsOn(adapter, settings);
    live.expect(parts.microBatch);
    const save = (): Promise<void> => files.saveRun(this.#record(going));
    let training: Classifier | undefined;
    const attempt = (again: boolean): Promise<Recovered> => fineTuneWithRecovery(() => models.takeBase(), data, {
      ...optionsOf(settings),
      ...(!again && parts), // a run goes on in the parts it began with
      features: project.features.store({ of: featuresName(project.record.base, settings), onKept: save }),
      checkpoint: files.checkpoint(save),
      checkpointEvery: SNAPSHOT_EVERY,
      resume: again,
      signal: abort.signal,
      betweenSteps: () => (going.paused ? this.#rest(going) : turns.between()),
      onClassifier: (classifier) => {
        training = classifier;
        models.live = undefined;
      },
      onProgress: (event) => {
        live.on(event);
        // From a first epoch on there is something to use; a run that goes on has that behind it.
        if (models.live === undefined && (event.kind === 'epoch' || event.kind === 'step' && event.epoch > 1)) {
          models.live = training;
          this.#deps.tellUsable();
        }
      },
    }).catch((error: unknown) => {
      training?.dispose();
      throw error;
    });
    try {
      return await attempt(resume);
    } catch (error) {
      // The engine knows better than our own comparison that the snapshot is of another run.
      if (!resume || !(error instanceof UsageError) || !error.message.startsWith('resume:')) throw error;
      await files.forgetRun();
      live.note('The run that was broken off could not be continued, so training began anew.');
      return await attempt(false);
    }
  }

  /** A pause. Other work goes on meanwhile. */
  async #rest(going: Going): Promise<void> {
    const { turns } = this.#deps;
    while (going.paused) {
      await turns.between();
      await Promise.race([going.paused, turns.wanted()]);
    }
  }

  /** Makes the outcome the project's model, if there is one. Returns the state that tells of it. */
  async #keep(going: Going, { classifier, result }: Recovered): Promise<RunState> {
    const { files, live } = going;
    const { models, speeds, outcome } = this.#deps;
    const { notes, curve } = live.now;
    if (result.bestEpoch === 0) {
      classifier.dispose();
      await files.forgetRun();
      if (result.ended === 'diverged') throw new TrainingError(result.reason ?? 'training diverged');
      const previous = outcome.before;
      return previous.kind === 'ended' ? { ...previous, notes: [...previous.notes, 'A later run was stopped before its first epoch; this is the one before it.'] } : { kind: 'idle' };
    }
    const names = currentNames(going);
    const model = new Classifier(classifier.network, { classes: names, preprocessing: classifier.preprocessing, base: classifier.base, notes: classifier.notes });
    const { validation: judged, ...rest } = result;
    const validation = judged ?? await this.#judge(going, model);
    const run: EndedRun = { kind: 'ended', result: rest, validation, classes: names, curve, notes };
    const facts = trainingFacts({ ...result, validation });
    const saved = await model.toFiles(facts);
    const kept = { weights: new Blob([saved['model.safetensors']]), card: model.card(facts) };
    models.setTrained(kept, model);
    const record = { run, classes: going.classes };
    outcome.ended(record);
    await files.saveResult(record, kept);
    // A guess for next time, no part of the result.
    await speeds.learn(model, optionsOf(going.settings), result).catch(() => undefined);
    return run;
  }

  /**
   * The held-out pictures, judged by the model that is kept: a run that went on from its snapshot and was stopped before a
   * better epoch has none. Null where there are none, or where it fails: no reason to lose the model.
   */
  async #judge({ data, live, settings }: Going, model: Classifier): Promise<Evaluation | null> {
    if (data.validation.items.length === 0) return null;
    live.set({ phase: 'finishing' });
    // Classes may have been renamed since the run began; their order is the same.
    return evaluate(model, { ...data.validation, classes: model.classes }, { batchSize: settings.batchSize }).catch(() => null);
  }

  #record({ inputs, live, classes }: Going): RunRecord {
    const { phase, done, total, epochs, stepsPerEpoch, history, bestEpoch, curve, notes } = live.now;
    return { inputs, classes, features: phase === 'features' ? { done, total } : null, epochs, stepsPerEpoch, history, bestEpoch, curve, notes };
  }
}

/** What is said of a run that was broken off and is begun again. */
function wentOn({ features }: RunRecord, fromSnapshot: boolean): string {
  if (fromSnapshot) return 'The run was broken off, and went on from what was kept of it.';
  if (features) return `The run was broken off before its first step, and went on with the features of ${features.done} of its ${features.total} pictures.`;
  return 'The run was broken off before anything of it was kept, so it began anew.';
}

function unpause(going: Going): void {
  going.paused = undefined;
  going.unpause?.();
}

/** Classes may have been renamed while the run went on. */
function currentNames({ project, classes }: Going): string[] {
  const now = new Map(project.record.classes.map(({ id, name }) => [id, name]));
  return classes.map(({ id, name }) => now.get(id) ?? name);
}
