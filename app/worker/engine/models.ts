/**
 * The networks that there are: the base to start from, and what was trained last. Both can be loaded again from what the
 * host keeps, so a lost device takes nothing with it.
 */
import { Classifier, DeviceLostError, UsageError, blobSource, classifierFrom, openWeights, type Gpu, type ModelCard } from '../../../src/index';
import type { ModelFiles } from '../training/record';
import type { Base } from './bases';
import type { Engine } from './engine';
import type { Turns } from './turns';

/** A call that a lost device broke off is made once more, on the new one, so many times. */
const TRIES = 3;

export class Models {
  readonly #engine: Engine;
  readonly #turns: Turns;
  /** `otherLayer`: its last layer is not the base's own any more. */
  #base: { readonly base: Base; loaded?: Classifier; otherLayer?: boolean } | undefined;
  /** `of`: the base that it was trained from in this session. */
  #trained: { readonly files: ModelFiles; readonly of?: Base; loaded?: Classifier } | undefined;
  /** What a run trains, once it has finished an epoch: it is used between the run's steps. */
  live: Classifier | undefined;

  constructor(engine: Engine, turns: Turns) {
    this.#engine = engine;
    this.#turns = turns;
  }

  get base(): Base | undefined {
    return this.#base?.base;
  }

  get trained(): ModelFiles | undefined {
    return this.#trained?.files;
  }

  get usable(): boolean {
    return this.live !== undefined || this.#trained !== undefined;
  }

  setBase(base: Base | undefined, loaded?: Classifier): void {
    this.#base?.loaded?.dispose();
    this.#base = base && { base, ...(loaded && { loaded }) };
  }

  setTrained(files: ModelFiles | undefined, loaded?: Classifier): void {
    if (this.#trained?.loaded !== loaded) this.#trained?.loaded?.dispose();
    this.#trained = files && { files, ...(loaded && { loaded, of: this.base }) };
  }

  /** Its classes are called otherwise. */
  renameTrained(card: ModelCard): void {
    if (!this.#trained) return;
    const { files, loaded, of } = this.#trained;
    const { classes, base } = card;
    this.#trained = { files: { ...files, card }, ...(of && { of }), ...(loaded && { loaded: new Classifier(loaded.network, { classes, preprocessing: loaded.preprocessing, base, notes: loaded.notes }) }) };
  }

  /** The base on the device, for the caller to change and to dispose of. For use within a turn. */
  async takeBase(): Promise<Classifier> {
    const held = this.#base;
    if (!held) throw new UsageError('There is no base to start from yet; choose one first.');
    const gpu = await this.#engine.gpu();
    const { loaded, otherLayer } = held;
    this.#base = { base: held.base };
    if (loaded?.gpu !== gpu) return held.base.open(gpu);
    // A layer that was put in for a look is none to train on: without names of its own the network gets another.
    return otherLayer ? new Classifier(loaded.network, { classes: null, preprocessing: loaded.preprocessing, base: loaded.base, notes: loaded.notes }) : loaded;
  }

  /** Frees what the trained model takes on the device; it is loaded again when it is wanted. For use within a turn. */
  rest(): void {
    this.#trained?.loaded?.dispose();
    delete this.#trained?.loaded;
  }

  /** Runs `work` with the model of this moment when its turn comes. @throws UsageError when none was trained yet. */
  use<T>(work: (classifier: Classifier) => Promise<T>): Promise<T> {
    return this.#patiently(async () => work(this.live ?? await this.#trainedNow()));
  }

  /** The same with what was trained or, before that, with the base. */
  useAny<T>(work: (classifier: Classifier) => Promise<T>): Promise<T> {
    return this.#patiently(async () => work(this.usable ? this.live ?? await this.#trainedNow() : await this.#baseNow()));
  }

  /**
   * The same with a network of the base's shape and a last layer for so many classes, whatever its weights, and with no
   * other on the device: as a run will find it.
   */
  useShapeFor<T>(classes: readonly string[], work: (classifier: Classifier) => Promise<T>): Promise<T> {
    return this.#patiently(async () => {
      const held = this.#trained;
      // After a run the base is what was trained: it need not be loaded again to be looked at.
      if (held?.loaded && this.#base && held.of === this.#base.base && !this.#base.loaded && held.loaded.gpu === await this.#engine.gpu() && held.loaded.classes.length === classes.length && held.loaded.precision === 'float32') return work(held.loaded);
      this.rest();
      const classifier = await this.#baseNow();
      if (this.#base && !same(classifier.classes, classes)) this.#base.otherLayer = true;
      classifier.setClasses(classes);
      return work(classifier);
    });
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#turns.take(work);
      } catch (error) {
        if (!(error instanceof DeviceLostError) || tries === TRIES) throw error;
      }
    }
  }

  async #baseNow(): Promise<Classifier> {
    const held = this.#base;
    if (!held) throw new UsageError('There is no base yet; choose one first.');
    const gpu = await this.#engine.gpu();
    if (held.loaded?.gpu !== gpu) {
      held.loaded = await held.base.open(gpu);
      held.otherLayer = false;
    }
    return held.loaded;
  }

  async #trainedNow(): Promise<Classifier> {
    const held = this.#trained;
    if (!held) throw new UsageError('No model has been trained yet; train first.');
    const gpu = await this.#engine.gpu();
    if (held.loaded?.gpu !== gpu) held.loaded = await openModel(gpu, held.files);
    return held.loaded;
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

async function openModel(gpu: Gpu, { weights, card }: ModelFiles): Promise<Classifier> {
  const file = await openWeights(blobSource(weights, 'model.safetensors'));
  try {
    const { network, preprocessing, notes } = await classifierFrom(gpu, file, { card, name: 'model.safetensors' });
    return new Classifier(network, { classes: card.classes, preprocessing, base: card.base, notes });
  } finally {
    await file.close();
  }
}
