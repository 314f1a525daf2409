/** All projects that are kept, and the one that this tab has open. A project is open in one tab at a time. */
import { DataError, UsageError } from '../../../src/index';
import type { ProjectInfo } from '../../shared/protocol';
import type { Disk } from '../storage/disk';
import type { Keeping } from '../storage/keeping';
import { heldProjects, holdProject, otherTabs, whenFree, type Release } from '../storage/locks';
import { Project, listProjects, readProject, removeProject } from './project';
import { emptyRecord, type ProjectRecord } from './record';

/** A tab that was just reloaded may still hold its project. Milliseconds. */
const LINGERING = 800;

export interface ProjectsDeps {
  readonly disk: Disk;
  readonly keeping: Keeping;
  readonly onChange: (project: Project) => void;
  readonly onList: (projects: readonly ProjectInfo[]) => void;
}

export class Projects {
  readonly #deps: ProjectsDeps;
  readonly #others: { tell(): void };
  /** Projects of other tabs whose end is awaited. */
  readonly #awaited = new Set<string>();
  #current: Project | undefined;

  constructor(deps: ProjectsDeps) {
    this.#deps = deps;
    this.#others = otherTabs(() => void this.list());
  }

  get current(): Project {
    if (!this.#current) throw new UsageError('The project is still being opened; try again in a moment.');
    return this.#current;
  }

  get isOpen(): boolean {
    return this.#current !== undefined;
  }

  /** Opens the project that was changed last and is open nowhere else, or a new one. Notes say what could not be opened. */
  async openLast(): Promise<readonly string[]> {
    const notes: string[] = [];
    for (const [i, { id, name }] of (await listProjects(this.#deps.disk)).entries()) {
      const release = await holdProject(id, i === 0 ? LINGERING : 0);
      if (!release) continue;
      try {
        const record = await readProject(this.#deps.disk, id);
        if (record) {
          this.#open(record, release);
          return notes;
        }
      } catch (error) {
        notes.push(`The project '${name}' cannot be opened: ${(error as Error).message}`);
      }
      release();
    }
    await this.openNew();
    return notes;
  }

  /** An empty project. Nothing is written before there is something to keep. */
  async openNew(): Promise<void> {
    const record = emptyRecord();
    const release = await holdProject(record.id);
    await this.#close();
    this.#open(record, release ?? ((): void => undefined));
  }

  /** @throws UsageError when it is open elsewhere or gone; the present one stays open then. */
  async open(id: string): Promise<void> {
    if (id === this.#current?.record.id) return;
    const release = await this.#hold(id);
    let record: ProjectRecord | undefined;
    try {
      record = await readProject(this.#deps.disk, id);
      if (!record) throw new UsageError('That project is no longer there.');
    } catch (error) {
      release();
      void this.list();
      throw error instanceof DataError ? new DataError(`The project cannot be opened: ${error.message}`, { cause: error }) : error;
    }
    await this.#close();
    this.#open(record, release);
  }

  /** Deletes a project with all that belongs to it. In place of the open one comes the next, or a new one. */
  async delete(id: string): Promise<void> {
    const { disk, keeping } = this.#deps;
    const isCurrent = id === this.#current?.record.id;
    const release = isCurrent ? undefined : await this.#hold(id);
    if (isCurrent) await this.#close();
    await removeProject(disk, id);
    release?.();
    this.#others.tell();
    if (isCurrent) await this.openLast();
    else await this.list();
    await keeping.refresh();
  }

  async list(): Promise<void> {
    const { disk, onList } = this.#deps;
    const [kept, held] = await Promise.all([listProjects(disk), heldProjects()]);
    const current = this.#current?.record;
    const projects = kept.map((one) => ({ ...one, elsewhere: one.id !== current?.id && held.has(one.id) }));
    onList(projects);
    for (const { id, elsewhere } of projects) if (elsewhere && !this.#awaited.has(id)) void this.#await(id);
  }

  async #await(id: string): Promise<void> {
    this.#awaited.add(id);
    await whenFree(id).catch(() => undefined);
    this.#awaited.delete(id);
    await this.list();
  }

  saved(): void {
    this.#others.tell();
    void this.list();
  }

  async #hold(id: string): Promise<Release> {
    const release = await holdProject(id, 100);
    if (release) return release;
    void this.list();
    throw new UsageError('That project is open in another tab; go on there, or close that tab first.');
  }

  #open(record: ProjectRecord, release: Release): void {
    const { disk, keeping, onChange } = this.#deps;
    keeping.clear();
    this.#current = new Project(record, { disk, keeping, release, onChange, onSaved: () => this.saved() });
    onChange(this.#current);
    this.saved();
  }

  async #close(): Promise<void> {
    await this.#current?.close();
    this.#current = undefined;
    this.#others.tell();
  }
}
