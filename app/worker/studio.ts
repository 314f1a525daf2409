/** What the page can ask for. Each method does its work on the parts below and leaves the outcome in the state. */
import { unzip } from 'fflate';
import {
  Classifier, decodeBlob, fineTune, fromFiles, load, openGpu, preprocess, type Gpu, type ProgressEvent,
} from '../../src/index';
import type { AddReport, BaseChoice, ClassInfo, Classified, ImageId, IncomingFile, LiveRun, Settings, StudioState } from '../shared/protocol';
import { siteFile } from './files';
import { StateKeeper } from './state';

export class Studio {
  readonly #state = new StateKeeper();
  readonly #images = new Map<ImageId, Blob>();
  #gpu: Gpu | undefined;
  #model: Classifier | undefined;
  #abort: AbortController | undefined;

  async open(listener: (patch: Partial<StudioState>) => void): Promise<void> {
    this.#state.listen(listener);
    try {
      this.#gpu = await openGpu();
      const { features } = this.#gpu.device;
      this.#state.set({ device: { kind: 'ready', adapter: this.#gpu.adapter, float16: features.has('shader-f16'), timestamps: features.has('timestamp-query') } });
    } catch (error) {
      this.#state.set({ device: { kind: 'missing', message: (error as Error).message } });
    }
    this.#state.flush();
  }

  async addSample(): Promise<AddReport> {
    const response = await fetch(siteFile('sample.zip'));
    const entries = await new Promise<Record<string, Uint8Array>>((resolve, reject) => {
      void response.arrayBuffer().then((bytes) => unzip(new Uint8Array(bytes), (error, files) => (error ? reject(error) : resolve(files))));
    });
    const files = Object.entries(entries).filter(([name]) => name.startsWith('train/')).map(([name, bytes]) => ({ path: name.slice(6), blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'image/png' }) }));
    return this.addFiles(files, null);
  }

  async addFiles(files: readonly IncomingFile[], classId: number | null): Promise<AddReport> {
    const classes: ClassInfo[] = [...this.#state.now.classes];
    let added = 0;
    for (const { path, blob } of files) {
      const label = path.split('/')[0];
      let at = classes.findIndex((one) => (classId === null ? one.name === label : one.id === classId));
      if (at === -1) at = classes.push({ id: classes.length, name: label, images: [] }) - 1;
      const id = [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].map((b) => b.toString(16).padStart(2, '0')).join('');
      this.#images.set(id, blob);
      classes[at] = { ...classes[at], images: [...classes[at].images, { id, name: path }] };
      added++;
    }
    this.#state.set({ classes });
    this.#state.flush();
    return { added, duplicates: [], skipped: [] };
  }

  thumbnail(id: ImageId): Promise<Blob> {
    return Promise.resolve(this.#images.get(id) as Blob);
  }

  async chooseBase(_choice: BaseChoice): Promise<void> {
    this.#model?.dispose();
    this.#model = await load(siteFile('base/'), { gpu: this.#gpu });
    const { training: _training, ...card } = this.#model.card();
    this.#state.set({ base: { kind: 'ready', info: { title: "Graft's glyph base", card, parameters: 0, blocks: [], notes: this.#model.notes } } });
    this.#state.flush();
  }

  async setSettings(patch: Partial<Settings>): Promise<void> {
    this.#state.set({ settings: { ...this.#state.now.settings, ...patch } });
    this.#state.flush();
  }

  async train(): Promise<void> {
    const model = this.#model as Classifier;
    const { classes, settings } = this.#state.now;
    const data = await fromFiles(classes.flatMap(({ name, images }) => images.map(({ id }) => ({ label: name, blob: this.#images.get(id) as Blob, name: id }))), { validationFraction: settings.validationFraction });
    let run: LiveRun = { kind: 'running', phase: 'preparing', paused: false, done: 0, total: 0, epoch: 0, epochs: 0, stepsPerEpoch: 0, imagesPerSecond: null, secondsLeft: null, gpuBytes: 0, history: [], bestEpoch: 0, curve: [], notes: [] };
    const set = (patch: Partial<LiveRun>): void => {
      run = { ...run, ...patch, gpuBytes: model.gpu.memory().liveBytes };
      this.#state.set({ run });
    };
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'features') set({ phase: 'features', done: event.done, total: event.total });
      else if (event.kind === 'step') set({ phase: 'training', epoch: event.epoch, epochs: event.epochs, stepsPerEpoch: event.steps, imagesPerSecond: event.imagesPerSecond, curve: [...run.curve, { step: (event.epoch - 1) * event.steps + event.step, loss: event.loss }] });
      else if (event.kind === 'epoch') set({ history: [...run.history, event.record] });
    };
    this.#abort = new AbortController();
    try {
      const { validation, ...result } = await fineTune(model, data, { plan: settings.plan, onProgress, signal: this.#abort.signal, ...(settings.epochs && { epochs: settings.epochs }) });
      this.#state.set({ run: { kind: 'ended', result, validation, classes: model.classes, curve: run.curve, notes: run.notes }, usable: true });
    } catch (error) {
      this.#state.set({ run: { kind: 'failed', message: (error as Error).message, notes: run.notes } });
    }
    this.#state.flush();
  }

  async stop(): Promise<void> {
    this.#abort?.abort();
  }

  async classify(picture: Blob): Promise<Classified> {
    const began = performance.now();
    const model = this.#model as Classifier;
    const inputs = preprocess(await decodeBlob(picture), model.preprocessing);
    const values = await model.predict(inputs, 1);
    const top = model.classes.map((name, i) => ({ name, probability: values[i] })).sort((a, b) => b.probability - a.probability);
    return { top, milliseconds: performance.now() - began };
  }
}
