/** The open project: its record, kept as it changes, and its pictures. */
import type { ImageId } from '../../shared/protocol';
import { readText, type Disk } from '../storage/disk';
import type { Keeping } from '../storage/keeping';
import type { Release } from '../storage/locks';
import { Writer } from '../storage/writer';
import { imagesOf } from './classes';
import { FeatureSets } from './featureSets';
import { openPictures, type Pictures } from './pictures';
import { parseRecord, type ProjectRecord } from './record';

const SAVE_AFTER = 300; // milliseconds: changes come in bursts
const RETRY_AFTER = 15_000; // milliseconds: someone may have made room
const FOLDER = 'projects';

/** What a full disk may refuse beside the project's record and its pictures. */
export type Refused = 'model' | 'names' | 'base';

export interface ProjectDeps {
  readonly disk: Disk;
  readonly keeping: Keeping;
  /** The tab's right to change it. */
  readonly release: Release;
  readonly onChange: (project: Project) => void;
  /** It was written; other tabs may want to know. */
  readonly onSaved: () => void;
}

export class Project {
  readonly disk: Disk;
  readonly keeping: Keeping;
  readonly pictures: Pictures;
  /** For what training keeps: a disk that refuses is told, and ends nothing. */
  readonly writer: Writer;
  readonly features: FeatureSets;
  readonly #deps: ProjectDeps;
  #record: ProjectRecord;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> = Promise.resolve();
  readonly #work = new Set<Promise<unknown>>();
  readonly #refused = new Map<Refused, () => Promise<boolean>>();
  #closing = false;
  #closed = false;

  constructor(record: ProjectRecord, deps: ProjectDeps) {
    this.#record = record;
    this.#deps = deps;
    this.disk = deps.disk;
    this.keeping = deps.keeping;
    this.pictures = openPictures(deps.disk, this.folder, imagesOf(record.classes).map(({ id }) => id), (error) => deps.keeping.note('pictures', error));
    this.writer = new Writer(deps.disk, deps.keeping, () => this.#closing);
    this.features = new FeatureSets({ disk: deps.disk, folder: `${this.folder}/features`, writer: this.writer, has: (id) => this.pictures.has(id) });
  }

  get record(): ProjectRecord {
    return this.#record;
  }

  get folder(): string {
    return folderOf(this.#record.id);
  }

  /** Long work on it should end now. */
  get closed(): boolean {
    return this.#closing;
  }

  /** Work that closing waits for. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  /** Changes the record; it is written soon. */
  update(patch: Partial<Omit<ProjectRecord, 'id' | 'format'>>): void {
    if (this.#closed) return;
    this.#record = { ...this.#record, ...patch, changed: Date.now() };
    this.#deps.onChange(this);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), SAVE_AFTER);
  }

  /** Writes what has changed now. Never throws: what cannot be kept is told as a problem of storage. */
  flush(): Promise<void> {
    if (this.#timer === undefined) return this.#saving;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  /** The disk refused it: it is written again with the next changes, and every now and then, until that returns true. */
  retry(what: Refused, write: () => Promise<boolean>): void {
    this.#refused.set(what, write);
    this.#saveLater();
  }

  /** It was written, or something took its place. */
  settled(what: Refused): void {
    this.#refused.delete(what);
  }

  refuses(what: Refused): boolean {
    return this.#refused.has(what);
  }

  async removePictures(ids: Iterable<ImageId>): Promise<void> {
    // The record first: a picture that is listed must be there.
    await this.flush();
    await this.pictures.remove(ids);
    if (this.pictures.unkept.size === 0) this.keeping.note('pictures');
  }

  /** Keeps the last changes and lets other tabs have it. */
  async close(): Promise<void> {
    await this.flush(); // with what was refused, which is not tried any more from here on
    this.#closing = true;
    await Promise.allSettled(this.#work);
    await this.flush();
    this.#closed = true;
    this.#deps.release();
  }

  async #save(): Promise<void> {
    let failed = false;
    try {
      await this.pictures.keepAll();
      if (this.pictures.unkept.size === 0) this.keeping.note('pictures');
      await writeRecord(this.disk, this.#record, this.pictures.unkept);
      this.keeping.note('changes to the project');
      for (const [what, write] of [...this.#refused]) if (await write() && this.#refused.get(what) === write) this.#refused.delete(what);
      this.#deps.onSaved();
    } catch (error) {
      this.keeping.note('changes to the project', error);
      failed = true;
    }
    if (failed || this.pictures.unkept.size > 0 || this.#refused.size > 0) this.#saveLater();
  }

  #saveLater(): void {
    if (!this.#closing) this.#timer ??= setTimeout(() => void this.flush(), RETRY_AFTER);
  }
}

export function folderOf(id: string): string {
  return `${FOLDER}/${id}`;
}

/** Writes a record, without the pictures that are only in memory, and its line in the list of projects. */
export async function writeRecord(disk: Disk, record: ProjectRecord, without: ReadonlySet<ImageId> = new Set()): Promise<void> {
  const classes = without.size === 0 ? record.classes : record.classes.map((one) => ({ ...one, images: one.images.filter(({ id }) => !without.has(id)) }));
  await disk.write(`${folderOf(record.id)}/project.json`, JSON.stringify({ ...record, classes }));
  const { id, name, changed } = record;
  await disk.write(`${folderOf(id)}/about.json`, JSON.stringify({ name, changed, images: imagesOf(classes).length } satisfies About));
}

/** A project's line in the list, kept apart because records of many pictures are large. */
export interface About {
  readonly name: string;
  readonly changed: number;
  readonly images: number;
}

export async function listProjects(disk: Disk): Promise<(About & { readonly id: string })[]> {
  const found = await Promise.all((await disk.list(FOLDER)).map(async (id) => {
    const about = await aboutOf(disk, id);
    return about ? [{ id, ...about }] : [];
  }));
  return found.flat().sort((a, b) => b.changed - a.changed);
}

/** Undefined of a folder that is no project, or none yet. One whose line was lost is still found by its record. */
async function aboutOf(disk: Disk, id: string): Promise<About | undefined> {
  try {
    const about = JSON.parse((await readText(disk, `${folderOf(id)}/about.json`)) ?? 'null') as About | null;
    if (about !== null) return { name: String(about.name), changed: Number(about.changed), images: Number(about.images) };
  } catch {
    // Then by its record.
  }
  try {
    const text = await readText(disk, `${folderOf(id)}/project.json`);
    if (text === undefined) return undefined;
    const { name, changed, classes } = parseRecord(text, 'project.json');
    return { name, changed, images: imagesOf(classes).length };
  } catch {
    return undefined;
  }
}

/**
 * The record of a kept project, with those of its pictures that are there. Files of pictures that no record lists (the
 * tab was closed while they came in) are removed.
 * @throws DataError when it is damaged; undefined where there is none.
 */
export async function readProject(disk: Disk, id: string): Promise<ProjectRecord | undefined> {
  const text = await readText(disk, `${folderOf(id)}/project.json`);
  if (text === undefined) return undefined;
  const record = { ...parseRecord(text, 'project.json'), id };
  const there = new Set(await disk.list(`${folderOf(id)}/images`));
  const classes = record.classes.map((one) => ({ ...one, images: one.images.filter((image) => there.has(image.id)) }));
  const listed = new Set(imagesOf(classes).map((image) => image.id));
  for (const name of there) {
    if (listed.has(name)) continue;
    await disk.remove(`${folderOf(id)}/images/${name}`);
    await disk.remove(`${folderOf(id)}/thumbs/${name}`);
  }
  return { ...record, classes };
}

export async function removeProject(disk: Disk, id: string): Promise<void> {
  await disk.remove(folderOf(id));
}
