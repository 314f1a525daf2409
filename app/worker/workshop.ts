/** The parts of the worker, put together, and what takes several of them. */
import { DeviceError, UsageError, embed } from '../../src/index';
import type { BaseChoice, CamResult, EmbeddingMap, ImageId, MappingState, PlanCost } from '../shared/protocol';
import { planCosts } from './costs';
import { BaseLoader } from './engine/baseLoader';
import { Engine } from './engine/engine';
import { Models } from './engine/models';
import { Speeds } from './engine/speeds';
import { Turns } from './engine/turns';
import type { Trained } from './saving/exporting';
import { imagesOf } from './project/classes';
import type { Project } from './project/project';
import { Projects } from './project/projects';
import type { BaseRecord } from './project/record';
import type { StateKeeper } from './state';
import { memoryDisk, type Disk } from './storage/disk';
import { Keeping } from './storage/keeping';
import { openOpfs } from './storage/opfs';
import { countsOf, datasetOf } from './training/collection';
import { Outcome } from './training/outcome';
import { featuresName, trainedClasses } from './training/record';
import { Training } from './training/training';

/** Milliseconds after the last question for costs, before the device is timed for the next. */
const IDLE = 1000;

/** Opens storage, the project that was open last, and the device; the device may be still on its way afterwards. */
export async function openWorkshop(state: StateKeeper): Promise<Workshop> {
  const engine = new Engine((device) => state.set({ device }));
  engine.begin(); // the browser finds a device while files are read
  const shop = new Workshop(state, engine, (await openOpfs()) ?? memoryDisk());
  await shop.open();
  return shop;
}

export class Workshop {
  readonly disk: Disk;
  readonly keeping: Keeping;
  readonly engine: Engine;
  readonly models: Models;
  readonly speeds: Speeds;
  readonly outcome: Outcome;
  readonly training: Training;
  readonly projects: Projects;
  readonly #state: StateKeeper;
  readonly #turns = new Turns();
  readonly #bases: BaseLoader;
  #rehearsal: ReturnType<typeof setTimeout> | undefined;

  constructor(state: StateKeeper, engine: Engine, disk: Disk) {
    this.#state = state;
    this.disk = disk;
    this.keeping = new Keeping(disk, (storage) => state.set({ storage }));
    this.engine = engine;
    this.speeds = new Speeds(disk);
    this.models = new Models(this.engine, this.#turns);
    this.outcome = new Outcome(this.models, (run) => state.set({ run }));
    const tellUsable = (): void => state.set({ usable: this.models.usable });
    this.training = new Training({ engine: this.engine, turns: this.#turns, models: this.models, speeds: this.speeds, outcome: this.outcome, tell: (run) => state.set({ run }), tellUsable });
    this.#bases = new BaseLoader({ engine: this.engine, turns: this.#turns, disk, keeping: this.keeping, tell: (base) => state.set({ base }) });
    this.projects = new Projects({ disk, keeping: this.keeping, onChange: (project) => this.#show(project), onList: (projects) => state.set({ projects }) });
  }

  get project(): Project {
    return this.projects.current;
  }

  async open(): Promise<void> {
    await this.projects.openLast();
    await this.#arrive();
    await this.keeping.refresh();
  }

  /** Lets go of the present project, which `next` replaces by another. Where that fails, the present one stays. */
  async leave(next: () => Promise<void>): Promise<void> {
    const before = this.project;
    await this.training.abandon();
    this.#bases.cancel();
    try {
      await next();
    } finally {
      if (this.project !== before) await this.#arrive();
      else await this.outcome.open(before);
    }
  }

  /** Loads a base and makes it the project's. Resolves when the state tells how it went. */
  async chooseBase(choice: BaseChoice): Promise<void> {
    if (this.training.running) throw new UsageError('Training is going on; stop it first to choose another base.');
    const { project } = this;
    const found = await this.#bases.load(choice);
    if (!found || project !== this.project) return;
    const { base, loaded } = found;
    this.models.setBase(base, loaded);
    project.settled('base');
    if (base.record.kind === 'files') await project.features.forgetNames(); // other files may be called alike
    if (!(await this.#keepBase(project, base.files))) project.retry('base', () => this.#keepBase(project, base.files));
    const { plan } = project.record.settings;
    const blocks = this.#state.now.base.kind === 'ready' ? this.#state.now.base.info.blocks.map(({ name }) => name) : [];
    // Plans name parts of a network, and this one may not have the part.
    const known = plan === 'head' || plan === 'full' || blocks.some((name) => name === plan || name.startsWith(`${plan}.`));
    project.update({ base: base.record, ...(!known && { settings: { ...project.record.settings, plan: 'head' } }) });
    await project.flush();
  }

  /** Back to the base there was. */
  async cancelBase(): Promise<void> {
    if (this.#bases.cancel()) await this.#loadBase(this.project.record.base);
  }

  async train(): Promise<void> {
    if (this.#state.now.device.kind === 'missing') throw new DeviceError(this.#state.now.device.message);
    if (this.#state.now.adding) throw new UsageError('Pictures are still being added; train when they are there.');
    await this.training.run(this.project);
  }

  /** Costs of plans for the classes and pictures that there are. */
  async planCosts(plans: readonly string[]): Promise<readonly PlanCost[]> {
    const { project } = this;
    const { classes, settings, base } = project.record;
    const learnt = trainedClasses(classes);
    const names = learnt.length >= 2 ? learnt.map(({ name }) => name) : ['one', 'another'];
    const pictures = imagesOf(learnt).filter(({ part }) => part !== 'test').map(({ id }) => id);
    const known = await project.features.known(featuresName(base, settings), pictures);
    const images = { ...countsOf(learnt, settings.validationFraction), known };
    return this.models.useShapeFor(names, async (classifier) => {
      const timing = await this.speeds.of(classifier);
      if (timing === null) this.#rehearseSoon(names);
      return planCosts(classifier, plans, settings, images, timing);
    });
  }

  /** Times an adapter of which nothing is known, once it has nothing else to do. A run tells better: it goes first. */
  #rehearseSoon(names: readonly string[]): void {
    clearTimeout(this.#rehearsal);
    this.#rehearsal = setTimeout(() => {
      if (this.training.running) return;
      this.models.useShapeFor(names, (classifier) => this.speeds.rehearse(classifier)).then(() => this.#tellCosts(), () => undefined);
    }, IDLE);
  }

  /** `planCosts` has more to tell. */
  #tellCosts(): void {
    this.#state.set({ costs: this.#state.now.costs + 1 });
  }

  async gradCam(picture: ImageId | Blob, className?: string): Promise<CamResult> {
    const blob = picture instanceof Blob ? picture : await this.project.pictures.blob(picture);
    return this.models.use(async (classifier) => (await import('./analysis/explain')).explain(classifier, blob, className));
  }

  /** By the trained network, or by the base before there is one. The device is needed for the features alone. */
  async embeddingMap(): Promise<EmbeddingMap> {
    const { project } = this;
    const classes = project.record.classes.filter(({ images }) => images.length > 0);
    if (classes.length === 0) throw new UsageError('There are no pictures to map yet; add some first.');
    const tell = (doing: MappingState['doing']) => (done: number, total: number): void => this.#state.set({ mapping: { doing, done, total } });
    try {
      const embedded = await this.models.useAny((classifier) => {
        const of = this.models.usable ? {} : { of: featuresName(project.record.base, { float16: false }) };
        return embed(classifier, datasetOf(classes, project.pictures), { features: project.features.store(of), onProgress: tell('features') });
      });
      this.#tellCosts();
      return await (await import('./analysis/map')).mapOf(embedded, classes.map(({ id }) => id), { onProgress: tell('places') });
    } finally {
      this.#state.set({ mapping: null });
    }
  }

  /** What exports need, in a turn of its own. */
  trained<T>(work: (trained: Trained) => Promise<T>): Promise<T> {
    const { project } = this;
    const run = this.outcome.before;
    return this.models.use((classifier) => work({
      classifier, project: project.record.name, run: run.kind === 'ended' ? run : null, classes: project.record.classes,
      picture: (id) => project.pictures.blob(id),
    }));
  }

  /** The slices of a project that was opened or changed. */
  #show({ record: { id, name, classes, settings } }: Project): void {
    this.#state.set({ project: { id, name }, classes, settings });
    this.outcome.projectChanged();
  }

  /** A project was opened: its runs and its base. */
  async #arrive(): Promise<void> {
    await this.outcome.open(this.project);
    this.#state.set({ usable: this.models.usable });
    // Not waited for: pictures can be looked at meanwhile.
    void this.#loadBase(this.project.record.base);
  }

  async #loadBase(record: BaseRecord | null): Promise<void> {
    const { project } = this;
    this.models.setBase(undefined);
    if (record === null) {
      this.#state.set({ base: { kind: 'none' } });
      return;
    }
    const found = await this.#bases.load(record.kind === 'files' ? { kind: 'files', files: await this.#baseFiles(project, record.names) } : record);
    if (found && project === this.project) this.models.setBase(found.base, found.loaded);
  }

  async #baseFiles(project: Project, names: readonly string[]): Promise<File[]> {
    const files = await Promise.all(names.map(async (name) => {
      const blob = await this.disk.read(`${project.folder}/base/${name}`);
      return blob ? [new File([blob], name)] : [];
    }));
    return files.flat();
  }

  async #keepBase(project: Project, files: readonly File[]): Promise<boolean> {
    const folder = `${project.folder}/base`;
    try {
      await this.disk.remove(folder);
      for (const file of files) await this.disk.write(`${folder}/${file.name}`, file);
      this.keeping.note('the base');
      return true;
    } catch (error) {
      this.keeping.note('the base', error);
      return false;
    }
  }
}
