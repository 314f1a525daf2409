/** What the page can ask for. Each method leaves its outcome in the state; the work is done in the folders beside. */
import { UsageError, decodeBlob, preprocess } from '../../src/index';
import type {
  AddReport, BaseChoice, CamResult, Classified, EmbeddingMap, HalfCheck, ImageId, IncomingFile, PlanCost, SamplePicture, Settings, StudioApi, StudioState,
} from '../shared/protocol';
import { siteFile } from './files';
import { checkedName, classById, imagesOf, moved, tidyName, withoutImages } from './project/classes';
import { checkedSettings } from './project/record';
import type { Project } from './project/project';
import { packProject, unpackProject } from './project/transfer';
import { addFiles } from './input/add';
import { bitmapPixels } from './input/bitmap';
import { samplePart, samplesToTry } from './sample';
import { openWorkshop, type Workshop } from './workshop';
import { StateKeeper } from './state';

export class Studio implements StudioApi {
  readonly #state = new StateKeeper();
  #opened: Promise<Workshop> | undefined;

  async open(listener: (patch: Partial<StudioState>) => void): Promise<void> {
    this.#state.listen(listener);
    this.#opened ??= openWorkshop(this.#state);
    await this.#opened;
    this.#state.flush();
  }

  // Projects

  newProject(): Promise<void> {
    return this.#do((shop) => shop.leave(() => shop.projects.openNew()));
  }

  openProject(id: string): Promise<void> {
    return this.#do((shop) => shop.leave(() => shop.projects.open(id)));
  }

  renameProject(name: string): Promise<void> {
    return this.#do(async ({ project }) => project.update({ name: tidyName(name) || 'Untitled' }));
  }

  deleteProject(id: string): Promise<void> {
    return this.#do((shop) => (id === shop.project.record.id ? shop.leave(() => shop.projects.delete(id)) : shop.projects.delete(id)));
  }

  // Images

  addClass(name: string): Promise<number> {
    return this.#do(async ({ project }) => {
      const { classes, nextClass } = project.record;
      project.update({ classes: [...classes, { id: nextClass, name: checkedName(classes, name), images: [] }], nextClass: nextClass + 1 });
      return nextClass;
    });
  }

  renameClass(id: number, name: string): Promise<void> {
    return this.#do(async (shop) => {
      const { classes } = shop.project.record;
      classById(classes, id);
      const checked = checkedName(classes, name, id);
      shop.project.update({ classes: classes.map((one) => (one.id === id ? { ...one, name: checked } : one)) });
      await shop.outcome.rename(id, checked);
    });
  }

  removeClass(id: number): Promise<void> {
    return this.#do(async ({ project }) => {
      const { classes } = project.record;
      const { images } = classById(classes, id);
      project.update({ classes: classes.filter((one) => one.id !== id) });
      await project.removePictures(images.map((image) => image.id));
    });
  }

  addFiles(files: readonly IncomingFile[], classId: number | null): Promise<AddReport> {
    return this.#do(({ project }) => this.#add(project, Promise.resolve(files), classId));
  }

  addSample(): Promise<AddReport> {
    return this.#do(async ({ project }) => {
      const report = await this.#add(project, samplePart('train'), null);
      project.update({ sample: true });
      return report;
    });
  }

  moveImages(ids: readonly ImageId[], classId: number): Promise<void> {
    return this.#do(async ({ project }) => project.update({ classes: moved(project.record.classes, new Set(ids), classId) }));
  }

  removeImages(ids: readonly ImageId[]): Promise<void> {
    return this.#do(async ({ project }) => {
      const gone = new Set(ids);
      const listed = imagesOf(project.record.classes).filter(({ id }) => gone.has(id)).map(({ id }) => id);
      project.update({ classes: withoutImages(project.record.classes, gone) });
      await project.removePictures(listed);
    });
  }

  thumbnail(id: ImageId): Promise<Blob> {
    return this.#do(({ project }) => project.pictures.thumbnail(id));
  }

  samplePictures(): Promise<readonly SamplePicture[]> {
    return this.#do(async ({ project }) => (project.record.sample ? samplesToTry() : []));
  }

  // The base

  chooseBase(choice: BaseChoice): Promise<void> {
    return this.#do((shop) => shop.chooseBase(choice));
  }

  cancelBase(): Promise<void> {
    return this.#do((shop) => shop.cancelBase());
  }

  // Training

  setSettings(patch: Partial<Settings>): Promise<void> {
    return this.#do(async ({ project }) => project.update({ settings: checkedSettings({ ...project.record.settings, ...patch }) }));
  }

  planCosts(plans: readonly string[]): Promise<readonly PlanCost[]> {
    return this.#do((shop) => shop.planCosts(plans));
  }

  train(): Promise<void> {
    return this.#do((shop) => shop.train());
  }

  pause(): Promise<void> {
    return this.#do(async ({ training }) => training.pause());
  }

  resume(): Promise<void> {
    return this.#do(async ({ training }) => training.resume());
  }

  stop(): Promise<void> {
    return this.#do(async ({ training }) => training.stop());
  }

  discardRun(): Promise<void> {
    return this.#do((shop) => shop.outcome.discardRun());
  }

  // What was trained

  classify(picture: Blob | ImageBitmap): Promise<Classified> {
    return this.#do(async ({ models }) => {
      const pixels = picture instanceof Blob ? await decodeBlob(picture) : bitmapPixels(picture);
      return models.use(async (classifier) => {
        const began = performance.now();
        const { classes, preprocessing } = classifier;
        const values = await classifier.predict(preprocess(pixels, preprocessing), 1);
        const top = classes.map((name, i) => ({ name, probability: values[i] })).sort((a, b) => b.probability - a.probability);
        return { top, milliseconds: performance.now() - began };
      });
    });
  }

  gradCam(picture: ImageId | Blob, className?: string): Promise<CamResult> {
    return this.#do((shop) => shop.gradCam(picture, className));
  }

  embeddingMap(): Promise<EmbeddingMap> {
    return this.#do((shop) => shop.embeddingMap());
  }

  exportModel(): Promise<Blob> {
    return this.#do((shop) => shop.trained(async (trained) => (await import('./saving/exporting')).exportModel(trained)));
  }

  exportReport(): Promise<Blob> {
    return this.#do((shop) => shop.trained(async (trained) => (await import('./saving/exporting')).exportReport(trained)));
  }

  exportPage(options: { readonly half?: boolean } = {}): Promise<Blob> {
    return this.#do((shop) => shop.trained(async (trained) => {
      const [{ exportPage }, template] = await Promise.all([import('./saving/exporting'), fetchText(siteFile('standalone.html'))]);
      return exportPage(trained, template, options);
    }));
  }

  checkHalf(): Promise<HalfCheck | null> {
    return this.#do((shop) => shop.trained(async (trained) => (await import('./saving/exporting')).checkHalf(trained)));
  }

  exportProject(): Promise<Blob> {
    return this.#do(async ({ project }) => {
      await project.flush();
      return project.during(packProject(project));
    });
  }

  importProject(file: Blob): Promise<void> {
    return this.#do(async (shop) => {
      try {
        const { id } = await unpackProject(file, shop.disk, (done, total) => this.#state.set({ adding: { done, total } }));
        await shop.leave(() => shop.projects.open(id));
      } finally {
        this.#state.set({ adding: null });
      }
    });
  }

  loseDevice(): Promise<void> {
    return this.#do(async ({ engine }) => engine.lose());
  }

  /** What is said to be added is kept, or told to be unkept. */
  #add(project: Project, incoming: Promise<readonly IncomingFile[]>, classId: number | null): Promise<AddReport> {
    return project.during((async () => {
      const report = await addFiles(project, await incoming, classId, (adding) => this.#state.set({ adding }));
      await project.flush();
      return report;
    })());
  }

  /** Waits until all is open, and sends the state before the answer, so that the page never sees the answer first. */
  async #do<T>(work: (shop: Workshop) => Promise<T>): Promise<T> {
    if (!this.#opened) throw new UsageError('Nothing can be done before open() was called.');
    const shop = await this.#opened;
    try {
      return await work(shop);
    } finally {
      this.#state.flush();
    }
  }
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new UsageError(`${url} could not be fetched: the server answered ${response.status}; load the page again`);
  return response.text();
}
