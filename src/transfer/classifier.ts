/**
 * A network with what it needs to be used: its classes, the preprocessing bound to its weights, and where it came from.
 * Saved as two files: `model.safetensors` (torchvision's names) and `model.json` (the rest).
 */
import { StateDictError, UsageError, WeightsError } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { IMAGENET_PREPROCESSING, checkPreprocessing, type Preprocessing } from '../data/preprocess';
import { noGrad } from '../autograd/op';
import { softmax } from '../autograd/ops/loss';
import { describeReport, type StateDict } from '../layers/module';
import { ResNet, architectureName, type ArchitectureName } from '../models/resnet';
import { Tensor, scope } from '../tensor';
import { detectArchitecture, shapesOf, unknownArchitecture } from '../weights/architecture';
import { withTorchvisionNames } from '../weights/names';
import { serializeSafetensors } from '../weights/safetensors';
import { hasNonFinite } from '../weights/tensorBytes';
import type { WeightsFile } from '../weights/weightsFile';
import { assertPrecision, precisionOf, type Precision } from './precision';

/** The contents of `model.json`. */
export interface ModelCard {
  readonly format: 'graft-model-1';
  readonly architecture: ArchitectureName;
  readonly width: number;
  /** In the order of the outputs. Null for weights that came without names. */
  readonly classes: readonly string[] | null;
  readonly preprocessing: Preprocessing;
  /** What the weights were before training: a file's or published weights' name. Null for random ones. */
  readonly base: string | null;
  /** How it was trained, as `FineTuneResult` tells it. */
  readonly training?: unknown;
}

export interface LoadOptions {
  /** The model the file must hold; by default the file decides. */
  readonly architecture?: string;
  /** Names of the classes to train for. When they are not the file's own, the network gets a new last layer. */
  readonly classes?: readonly string[];
  /** Default: what the model card says, else ImageNet's. */
  readonly preprocessing?: Preprocessing;
  /** For a new last layer. Default 0. */
  readonly seed?: number;
  /**
   * `float16` keeps the convolutions in f16 and computes all but the last layer in it: half the memory. Needs the
   * adapter's shader-f16. Default `float32`.
   */
  readonly precision?: Precision;
  /**
   * Numbers of images whose `predict` is compiled while the weights are read, so that the first one need not wait.
   * Default: 1 where `load` fetches from a page, none elsewhere (training compiles what it needs).
   */
  readonly compileFor?: readonly number[];
}

export class Classifier {
  readonly network: ResNet;
  readonly preprocessing: Preprocessing;
  /** Name of the base, for the card. */
  readonly base: string | null;
  /** What loading noticed: renamed tensors, values that are not finite. */
  readonly notes: readonly string[];
  #classes: readonly string[] | null;

  constructor(
    network: ResNet,
    { classes, preprocessing, base = null, notes = [] }: { classes: readonly string[] | null; preprocessing: Preprocessing; base?: string | null; notes?: readonly string[] },
  ) {
    this.network = network;
    this.preprocessing = preprocessing;
    this.base = base;
    this.notes = notes;
    this.#classes = classes;
  }

  /** Names of the outputs; `class 0`, `class 1`, … when the weights came without. */
  get classes(): readonly string[] {
    return this.#classes ?? Array.from({ length: this.network.numClasses }, (_, i) => `class ${i}`);
  }

  /** `float16` when a part of the network is kept and computed in it. */
  get precision(): Precision {
    return precisionOf(this.network);
  }

  get gpu(): Gpu {
    return this.network.gpu;
  }

  /** Gives the network a new, random last layer for these classes, unless they are its classes already. */
  setClasses(classes: readonly string[], seed = 0): void {
    checkClasses(classes);
    const same = this.#classes?.length === classes.length && classes.every((name, i) => name === this.#classes?.[i]);
    if (!same) this.network.resetClassifier(classes.length, seed);
    this.#classes = [...classes];
  }

  /**
   * Probabilities of each class, [count, classes], of prepared images [count, cropSize, cropSize, 3] (see `preprocess`).
   */
  async predict(inputs: Float32Array, count: number): Promise<Float32Array> {
    const { cropSize } = this.preprocessing;
    const probabilities = scope(this.gpu, () => this.#probabilities(Tensor.fromArray(this.gpu, [count, cropSize, cropSize, 3], inputs)));
    const values = (await probabilities.toArray()) as Float32Array;
    probabilities.dispose();
    return values;
  }

  /**
   * Compiles, in parallel, what `predict` needs for these numbers of images. Runs nothing, so the weights may still be on
   * their way. Returns how many pipelines were missing.
   */
  async compile(...counts: readonly number[]): Promise<number> {
    const { cropSize } = this.preprocessing;
    return this.gpu.precompile(() => {
      for (const count of counts) this.#probabilities(Tensor.empty(this.gpu, [count, cropSize, cropSize, 3]));
    });
  }

  #probabilities(x: Tensor): Tensor {
    this.network.eval();
    return noGrad(() => softmax(this.network.forward(x)));
  }

  card(training?: unknown): ModelCard {
    const { architecture, width } = this.network;
    const { preprocessing, base } = this;
    return { format: 'graft-model-1', architecture, width, classes: this.#classes, preprocessing, base, ...(training === undefined ? {} : { training }) };
  }

  /** The two files of a saved model. */
  async toFiles(training?: unknown): Promise<{ 'model.safetensors': Uint8Array<ArrayBuffer>; 'model.json': string }> {
    const state = await this.network.stateDict();
    return {
      'model.safetensors': serializeSafetensors(state, { metadata: { format: 'pt' } }),
      'model.json': `${JSON.stringify(this.card(training), null, 2)}\n`,
    };
  }

  dispose(): void {
    this.network.dispose();
  }
}

/** Parses `model.json`. @throws WeightsError that says what is wrong with it. */
export function parseModelCard(text: string, name: string): ModelCard {
  let card: Partial<ModelCard> | null;
  try {
    card = JSON.parse(text) as Partial<ModelCard> | null;
  } catch (error) {
    throw new WeightsError(`${name} is not JSON: ${(error as Error).message}; save the model again`);
  }
  if (card?.format !== 'graft-model-1') throw new WeightsError(`${name} is no model card: its format is '${String(card?.format)}', not 'graft-model-1'`);
  if (card.classes !== null) checkClasses(card.classes);
  return {
    format: 'graft-model-1',
    architecture: architectureName(String(card.architecture)),
    width: Number(card.width ?? 64),
    classes: card.classes ?? null,
    preprocessing: checkPreprocessing(card.preprocessing),
    base: card.base ?? null,
    training: card.training,
  };
}

/** A classifier with random weights. */
export function randomClassifier(gpu: Gpu, architecture: string, classes: readonly string[], { width = 64, preprocessing = IMAGENET_PREPROCESSING, seed = 0, precision = 'float32' }: { width?: number; preprocessing?: Preprocessing; seed?: number; precision?: Precision } = {}): Classifier {
  checkClasses(classes);
  assertPrecision(gpu, precision);
  const network = new ResNet(gpu, architectureName(architecture), { numClasses: classes.length, width, seed, dtype: precision === 'float16' ? 'f16' : 'f32' });
  return new Classifier(network, { classes: [...classes], preprocessing });
}

/**
 * A classifier from a weights file whose shapes decide the architecture, and a model card if there is one.
 * @throws WeightsError when the file holds no network Graft knows, or another one than asked for; StateDictError when
 * names or shapes do not fit.
 */
export async function classifierFrom(
  gpu: Gpu,
  source: WeightsFile,
  { architecture, classes, preprocessing, seed = 0, precision = 'float32', compileFor = [], card, name }: LoadOptions & { readonly card?: ModelCard; readonly name: string },
): Promise<Classifier> {
  assertPrecision(gpu, precision);
  const file = withTorchvisionNames(source);
  const shapes = shapesOf(file);
  const found = detectArchitecture(shapes);
  if (!found) throw new WeightsError(`${name}: ${unknownArchitecture(shapes)}`);
  const wanted = architecture ?? card?.architecture;
  if (wanted !== undefined && architectureName(wanted) !== found.arch) {
    throw new WeightsError(`${name} holds a ${found.arch}, not a ${wanted}; ask for ${found.arch}, or give the other file`);
  }
  if (card) checkCard(card, found, name);
  const network = new ResNet(gpu, found.arch, {
    numClasses: found.numClasses ?? classes?.length ?? 1000,
    width: found.width,
    seed,
    // The file brings every value, except that of a classifier it does not have.
    initialise: found.numClasses === undefined,
    dtype: precision === 'float16' ? 'f16' : 'f32',
  });
  try {
    const notes = [...file.notes, ...assertFits(network, shapes, name)];
    const classifier = new Classifier(network, {
      classes: card?.classes ?? null,
      preprocessing: preprocessing ?? card?.preprocessing ?? IMAGENET_PREPROCESSING,
      base: name,
      notes,
    });
    await Promise.all([compileFor.length > 0 && classifier.compile(...compileFor), fill(network, file, name)]);
    if (!classes) return classifier;
    classifier.setClasses(classes, seed);
    if (compileFor.length > 0) await classifier.compile(...compileFor); // of the last layer, if anything
    return classifier;
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function checkCard({ classes, width }: ModelCard, found: { readonly numClasses: number | undefined; readonly width: number }, name: string): void {
  const remedy = 'the two files are of different runs: save the model again';
  if (classes && classes.length !== found.numClasses) {
    throw new WeightsError(`${name}: has ${found.numClasses ?? 'no'} outputs, but model.json beside it names ${classes.length} classes; ${remedy}`);
  }
  if (width !== found.width) throw new WeightsError(`${name}: is of width ${found.width}, but model.json beside it says ${width}; ${remedy}`);
}

/** Names and shapes of a file against a network's. Returns what was noticed. */
function assertFits(network: ResNet, shapes: ReadonlyMap<string, readonly number[]>, name: string): string[] {
  const { missing, unexpected, misshapen } = network.compareState(shapes);
  if (shapes.has('fc.weight')) {
    const problems = describeReport({ missing, unexpected, misshapen });
    if (problems) throw new StateDictError(`loadStateDict: the weights do not fit the model: ${problems}`);
    return [];
  }
  const rest = describeReport({ missing: missing.filter((n) => !n.startsWith('fc.')), unexpected, misshapen });
  if (rest) throw new WeightsError(`${name}: ${rest}`);
  return ['The file has no classifier (fc); the last layer is random.'];
}

/** Bytes read before they are handed to the device: few enough to go on while the rest arrives. */
const PORTION = 1 << 22;

/** Loads a file that fits into a network, as it is read. */
async function fill(network: ResNet, file: WeightsFile, name: string): Promise<void> {
  const bad: string[] = [];
  let portion: StateDict = new Map();
  let bytes = 0;
  for (const [i, tensorName] of file.names.entries()) {
    const tensor = await file.read(tensorName);
    if (hasNonFinite(tensor)) bad.push(tensorName);
    else portion.set(tensorName, tensor);
    bytes += tensor.data.byteLength;
    if (bytes < PORTION && i < file.names.length - 1) continue;
    network.loadStateDict(portion, { strict: false });
    [portion, bytes] = [new Map(), 0];
  }
  if (bad.length > 0) {
    throw new WeightsError(`${name}: ${bad.length} tensors hold NaN or infinite values (${bad.slice(0, 3).join(', ')}${bad.length > 3 ? ', …' : ''}); the file is damaged or its training diverged: use another`);
  }
}

function checkClasses(classes: unknown): asserts classes is readonly string[] {
  const names = Array.isArray(classes) ? (classes as unknown[]) : [];
  if (names.length < 2 || !names.every((name) => typeof name === 'string')) {
    throw new UsageError(`a classifier needs the names of at least 2 classes, got ${JSON.stringify(classes)}`);
  }
}
