/**
 * What the page and the worker say to each other. The worker holds the project, the engine and the storage; the page
 * draws the state it is sent and asks for changes. Calls go through Comlink, so an error thrown in the worker is thrown
 * at the caller, with its name and message.
 */
import type {
  AdapterFacts, Augmentation, EpochRecord, Evaluation, FineTuneResult, ModelCard, Preprocessing, ScheduleName,
} from '../../src/index';

/** SHA-256 of an image file's bytes, in hex. */
export type ImageId = string;

export interface ImageInfo {
  readonly id: ImageId;
  /** File name, or path inside the folder or archive that it came in. */
  readonly name: string;
  /** Where its folder (`val/…`, `test/…`) said that it is not to be learnt from; else the worker chooses by content. */
  readonly part?: 'validation' | 'test';
}

export interface ClassInfo {
  /** Stays the same when the class is renamed. */
  readonly id: number;
  readonly name: string;
  readonly images: readonly ImageInfo[];
}

/** Something that was left out, and why, in one sentence. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** What became of files that were dropped. */
export interface AddReport {
  readonly added: number;
  /** Names of files whose bytes the project had already. */
  readonly duplicates: readonly string[];
  readonly skipped: readonly Skipped[];
}

/** A picture, or an archive of pictures, that the page was given. */
export interface IncomingFile {
  /** Path with `/` between its parts where it came in a folder, else the file's name. */
  readonly path: string;
  readonly blob: Blob;
}

export type DeviceState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'ready'; readonly adapter: AdapterFacts; readonly float16: boolean; readonly timestamps: boolean }
  /** No WebGPU, or no adapter: `message` says what to do. */
  | { readonly kind: 'missing'; readonly message: string }
  /** A new one is being taken. */
  | { readonly kind: 'lost'; readonly message: string };

/** A part of the network as the drawing shows it, in order from the image to the classes. */
export interface BlockInfo {
  /** Also the plan that trains this block and all after it: `conv1`, `layer1.0`, …, `head`. */
  readonly name: string;
  /** `stem`, `layer1` … `layer4`, `head`. */
  readonly stage: string;
  /** For people: `7 x 7 convolution, stride 2`. */
  readonly title: string;
  readonly parameters: number;
  /** Shape of what it gives for one image: height, width, channels. */
  readonly output: readonly [number, number, number];
}

export interface BaseInfo {
  /** As shown: `Graft's glyph base`, `ResNet18_Weights.IMAGENET1K_V1`, the file's name. */
  readonly title: string;
  readonly card: Omit<ModelCard, 'training'>;
  readonly parameters: number;
  readonly blocks: readonly BlockInfo[];
  readonly notes: readonly string[];
}

export type BaseChoice =
  | { readonly kind: 'shipped' }
  /** A name of `PUBLISHED_WEIGHTS`. */
  | { readonly kind: 'published'; readonly name: string }
  /** A weights file and, if there is one, its `model.json`. */
  | { readonly kind: 'files'; readonly files: readonly File[] };

export type BaseState =
  | { readonly kind: 'none' }
  | { readonly kind: 'loading'; readonly title: string; readonly receivedBytes: number; readonly totalBytes: number | null; readonly doing: 'downloading' | 'checking' | 'reading' }
  | { readonly kind: 'ready'; readonly info: BaseInfo }
  | { readonly kind: 'failed'; readonly title: string; readonly message: string };

/** What the user sets for a run; the rest is `fineTune`'s defaults. */
export interface Settings {
  readonly plan: string;
  /** Null for the plan's default. */
  readonly epochs: number | null;
  readonly batchSize: number;
  readonly lr: number | null;
  readonly optimizer: 'adamw' | 'sgd';
  readonly schedule: ScheduleName;
  readonly labelSmoothing: number;
  readonly augment: Augmentation | null;
  readonly validationFraction: number;
  readonly seed: number;
  readonly float16: boolean;
}

export const DEFAULT_SETTINGS: Settings = {
  plan: 'head', epochs: null, batchSize: 32, lr: null, optimizer: 'adamw', schedule: 'cosine', labelSmoothing: 0,
  augment: null, validationFraction: 0.2, seed: 0, float16: false,
};

/** What a plan would cost on this device, for the images there are. */
export interface PlanCost {
  readonly plan: string;
  readonly trainedParameters: number;
  /** Bytes of GPU memory at the chosen batch size. */
  readonly memoryBytes: number;
  /** Seconds a run of the plan's epochs is expected to take. Null until this device's speed is known. */
  readonly seconds: number | null;
  /** Whether `seconds` goes by a short rehearsal alone: no run on this device has told yet. */
  readonly rough: boolean;
  /** Pictures whose features are kept from before, where the plan trains on features: `seconds` leaves them out. */
  readonly known: number;
}

export type RunPhase = 'preparing' | 'features' | 'training' | 'finishing';

export interface LossPoint {
  /** Steps since the run began, from 1; a fraction of an epoch is `step / stepsPerEpoch`. */
  readonly step: number;
  readonly loss: number;
}

/** How far a run has come: told while it goes on, written down, and told again when it was broken off. */
export interface RunCourse {
  readonly epochs: number;
  /** Whole epochs. */
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  /** At most some hundred points; older ones are thinned out. */
  readonly curve: readonly LossPoint[];
  /** One sentence each: smaller batches, a lost device, skipped images. */
  readonly notes: readonly string[];
}

/** Images whose features are there, of those whose features are wanted. */
export interface FeatureCount {
  readonly done: number;
  readonly total: number;
}

/** A training run: live while it goes on, and what is left of it afterwards. */
export type RunState =
  | { readonly kind: 'idle' }
  | LiveRun
  | {
      readonly kind: 'ended';
      readonly result: Omit<FineTuneResult, 'validation'>;
      /** Of held-out images; null without them. Names of predictions are image ids. */
      readonly validation: Evaluation | null;
      readonly classes: readonly string[];
      readonly curve: readonly LossPoint[];
      readonly notes: readonly string[];
    }
  | { readonly kind: 'failed'; readonly message: string; readonly notes: readonly string[] }
  | InterruptedRun;

/** A run that a reload, a closed tab or a crash broke off. `train()` goes on from what was kept of it. */
export interface InterruptedRun extends RunCourse {
  readonly kind: 'interrupted';
  /** Whole epochs that were kept. */
  readonly epoch: number;
  /** Where it was broken off before its first step, while features were computed: those that were kept. Else null. */
  readonly features: FeatureCount | null;
  /** Why it cannot go on, so that `train()` starts anew: settings, images or base were changed. Null where it can. */
  readonly anew: string | null;
}

export interface LiveRun extends RunCourse {
  readonly kind: 'running';
  readonly phase: RunPhase;
  readonly paused: boolean;
  /** Of the phase: images for features, steps for training. */
  readonly done: number;
  readonly total: number;
  readonly epoch: number;
  readonly stepsPerEpoch: number;
  readonly imagesPerSecond: number | null;
  readonly secondsLeft: number | null;
  /** Of the device, now. */
  readonly gpuBytes: number;
}

export interface ProjectInfo {
  readonly id: string;
  readonly name: string;
  readonly images: number;
  /** Milliseconds since 1970. */
  readonly changed: number;
  /** Open in another tab. */
  readonly elsewhere: boolean;
}

export interface StorageState {
  /** Null until known. */
  readonly usedBytes: number | null;
  readonly quotaBytes: number | null;
  /** Why the last change could not be kept; null when all is kept. */
  readonly problem: string | null;
}

/** Pictures that are being read, checked and kept. */
export interface AddingState {
  readonly done: number;
  readonly total: number;
}

/** A map of the pictures that is being made. */
export interface MappingState {
  /** Of `features`: pictures; of `places`: pictures whose neighbours were found, and rounds of moving them to their places. */
  readonly doing: 'features' | 'places';
  readonly done: number;
  readonly total: number;
}

/** All that the page shows. The worker sends the slices that changed. */
export interface StudioState {
  readonly project: { readonly id: string; readonly name: string };
  readonly projects: readonly ProjectInfo[];
  readonly device: DeviceState;
  readonly storage: StorageState;
  readonly classes: readonly ClassInfo[];
  /** Null while none are being added. */
  readonly adding: AddingState | null;
  /** Null while no map is being made. */
  readonly mapping: MappingState | null;
  readonly base: BaseState;
  readonly settings: Settings;
  readonly run: RunState;
  /** Whether there is a trained head to classify with: in the middle of training, too. */
  readonly usable: boolean;
  /** Another number when `planCosts` may tell more than before: the device was timed, or features became known. */
  readonly costs: number;
}

export interface Classified {
  /** All classes, the most likely first. */
  readonly top: readonly { readonly name: string; readonly probability: number }[];
  readonly milliseconds: number;
}

/** A labelled picture to try a model on. */
export interface SamplePicture {
  readonly name: string;
  readonly className: string;
  readonly blob: Blob;
}

/** Where the network looked: a map over the square that it saw. */
export interface CamResult {
  /** Of the class that is explained. */
  readonly name: string;
  readonly probability: number;
  readonly size: number;
  /** [size, size], 0 to 1. */
  readonly heat: Float32Array;
  /** The square as the network saw it, as a picture of the same proportions. */
  readonly picture: ImageBitmap;
}

/** Images as points of the plane, near where their features are. */
export interface EmbeddingMap {
  readonly method: string;
  readonly points: readonly { readonly id: ImageId; readonly classId: number; readonly x: number; readonly y: number }[];
}

/** Held-out pictures named by the model as it is and with its weights rounded to float16. */
export interface HalfCheck {
  readonly images: number;
  readonly rightBefore: number;
  readonly rightAfter: number;
  /** Pictures that get another class. */
  readonly changed: number;
}

export interface StudioApi {
  /** Opens storage, the last project and the device. `listener` gets the whole state first, then slices that changed. */
  open(listener: (patch: Partial<StudioState>) => void): Promise<void>;

  newProject(): Promise<void>;
  openProject(id: string): Promise<void>;
  renameProject(name: string): Promise<void>;
  deleteProject(id: string): Promise<void>;

  addClass(name: string): Promise<number>;
  renameClass(id: number, name: string): Promise<void>;
  removeClass(id: number): Promise<void>;
  /** To one class; or, where `classId` is null, to classes by the files' folders (archives are opened either way). */
  addFiles(files: readonly IncomingFile[], classId: number | null): Promise<AddReport>;
  addSample(): Promise<AddReport>;
  moveImages(ids: readonly ImageId[], classId: number): Promise<void>;
  removeImages(ids: readonly ImageId[]): Promise<void>;
  /** A small picture of it. */
  thumbnail(id: ImageId): Promise<Blob>;

  chooseBase(choice: BaseChoice): Promise<void>;
  cancelBase(): Promise<void>;

  setSettings(patch: Partial<Settings>): Promise<void>;
  planCosts(plans: readonly string[]): Promise<readonly PlanCost[]>;

  /** Starts training, or goes on with a run that was stopped in the middle. Resolves when it has ended; state tells how. */
  train(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Keeps the best epoch so far. */
  stop(): Promise<void>;
  /** Forgets an interrupted run, so that `train()` starts anew. */
  discardRun(): Promise<void>;

  /** While training goes on, with the weights of that moment. */
  classify(picture: Blob | ImageBitmap): Promise<Classified>;
  gradCam(picture: ImageId | Blob, className?: string): Promise<CamResult>;
  embeddingMap(): Promise<EmbeddingMap>;
  /** Pictures of the sample that no training sees, a few a class; empty where the project is not the sample. */
  samplePictures(): Promise<readonly SamplePicture[]>;

  /** `model.safetensors`, `model.json`, how to load them, and the report, zipped. */
  exportModel(): Promise<Blob>;
  /** The report of the run that made the model: one HTML file. */
  exportReport(): Promise<Blob>;
  /** One HTML file that classifies pictures offline. With `half`, its weights are rounded to float16. */
  exportPage(options?: { readonly half?: boolean }): Promise<Blob>;
  /** What rounding the weights to float16 would change on held-out pictures; null where there are none. */
  checkHalf(): Promise<HalfCheck | null>;
  /** Images, settings, model and the state of training, to open again here or on another machine. */
  exportProject(): Promise<Blob>;
  importProject(file: Blob): Promise<void>;

  /** Destroys the device, as a driver reset would: for tests, and for the curious. */
  loseDevice(): Promise<void>;
}

/** Preprocessing as people read it. */
export function describePreprocessing({ resizeSize, cropSize }: Preprocessing): string {
  return resizeSize === cropSize ? `${cropSize} x ${cropSize} pixels` : `${cropSize} x ${cropSize} pixels, cut from the middle of ${resizeSize}`;
}
