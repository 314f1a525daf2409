/** Files on their way into the project: archives opened, names sorted out, every picture looked at once. */
import { compareCodePoints } from '../../../src/data/dataset';
import type { AddReport, AddingState, ClassInfo, ImageId, ImageInfo, IncomingFile, Skipped } from '../../shared/protocol';
import { checkedName, classById, classByName, tidyName, withImages } from '../project/classes';
import type { Project } from '../project/project';
import { MAX_ENTRY_BYTES, isArchive, openArchive } from './archive';
import { cleanPath, isDebris, labelled, refusedByName, type Labelled, type Placed } from './paths';
import { makeThumbnail, sha256 } from './picture';

/** Pictures decoded at once: enough to keep the decoders busy, few enough for large photographs to fit. */
const AT_ONCE = Math.max(2, Math.min(6, navigator.hardwareConcurrency || 4));
/** Classes are told of new pictures in groups, so that they fill up before one's eyes. */
const TELL_EVERY = 250; // milliseconds
/** A list of left-out files that no one would read to the end. */
const MAX_SKIPPED = 1000;

interface Candidate {
  readonly bytes: number;
  readonly type: string;
  read(): Promise<Blob>;
}

/** Adds files to one class or, where `classId` is null, to classes by their folders. */
export async function addFiles(project: Project, files: readonly IncomingFile[], classId: number | null, tell: (state: AddingState | null) => void): Promise<AddReport> {
  if (classId !== null) classById(project.record.classes, classId);
  const skipped: Skipped[] = [];
  const skip = (name: string, reason: string): void => void (skipped.length < MAX_SKIPPED && skipped.push({ name, reason }));
  const found = await expanded(files, skip);
  const wanted = found.filter(({ path, label, file }) => {
    const refusal = refusedByName(path, file.type) ?? (file.bytes === 0 ? 'the file is empty (0 bytes)' : undefined)
      ?? (file.bytes > MAX_ENTRY_BYTES ? `it has ${Math.round(file.bytes / 2 ** 20)} MB, past the ${MAX_ENTRY_BYTES / 2 ** 20} MB that a picture may have` : undefined)
      ?? (classId === null && label === undefined ? 'it lies in no folder that names a class; drop it onto a class' : undefined);
    if (refusal !== undefined) skip(path, refusal);
    return refusal === undefined;
  });
  return new Adding(project, classId, skip, tell).all(wanted).then(({ added, duplicates }) => ({ added, duplicates, skipped }));
}

/** All files with their labels; those of an archive count as dropped in a folder of the archive's name. */
async function expanded(files: readonly IncomingFile[], skip: (name: string, reason: string) => void): Promise<Labelled<Candidate>[]> {
  const loose: Placed<Candidate>[] = [];
  const all: Labelled<Candidate>[] = [];
  for (const incoming of files) {
    const path = cleanPath(incoming.path);
    if (isDebris(path)) continue;
    const { blob } = incoming;
    try {
      if (!(await isArchive(incoming))) {
        loose.push({ path, file: { bytes: blob.size, type: blob.type, read: () => Promise.resolve(blob) } });
        continue;
      }
      const entries = await openArchive(blob, path);
      const inside = entries.flatMap((entry) => {
        const inner = cleanPath(entry.path);
        return isDebris(inner) || inner === '' ? [] : [{ path: inner, file: { bytes: entry.bytes, type: '', read: entry.read } }];
      });
      if (inside.length === 0) skip(path, 'the archive holds no pictures');
      all.push(...labelled(inside, path.split('/').at(-1)?.replace(/\.zip$/i, '')));
    } catch (error) {
      skip(path, (error as Error).message);
    }
  }
  // New classes come in the order of their names, as folders are listed.
  return [...labelled(loose), ...all].sort((a, b) => compareCodePoints(a.label ?? '', b.label ?? ''));
}

class Adding {
  readonly #project: Project;
  readonly #classId: number | null;
  readonly #skip: (name: string, reason: string) => void;
  readonly #tell: (state: AddingState | null) => void;
  readonly #duplicates: string[] = [];
  /** Checked and kept, not yet listed. */
  #ready: { label: string | undefined; image: ImageInfo }[] = [];
  readonly #listed = new Set<ImageId>();
  #added = 0;
  #told = 0;

  constructor(project: Project, classId: number | null, skip: (name: string, reason: string) => void, tell: (state: AddingState | null) => void) {
    this.#project = project;
    this.#classId = classId;
    this.#skip = skip;
    this.#tell = tell;
  }

  async all(files: readonly Labelled<Candidate>[]): Promise<{ added: number; duplicates: readonly string[] }> {
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      while (next < files.length && !this.#project.closed) {
        await this.#one(files[next++]);
        this.#tell({ done: ++done, total: files.length });
        if (performance.now() - this.#told > TELL_EVERY) this.#list();
      }
    };
    this.#tell({ done, total: files.length });
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      this.#list();
      this.#order(files);
    } finally {
      this.#tell(null);
    }
    return { added: this.#added, duplicates: this.#duplicates };
  }

  async #one({ path, label, part, file }: Labelled<Candidate>): Promise<void> {
    try {
      const blob = await file.read();
      const id = await sha256(blob);
      const { pictures } = this.#project;
      if (pictures.has(id)) {
        this.#duplicates.push(path);
        return;
      }
      const thumbnail = await makeThumbnail(blob);
      if (pictures.has(id)) {
        this.#duplicates.push(path); // its copy was looked at in the same moment
        return;
      }
      await pictures.put(id, blob, thumbnail);
      this.#ready.push({ label, image: { id, name: path, ...(part && this.#classId === null && { part }) } });
    } catch (error) {
      this.#skip(path, (error as Error).message);
    }
  }

  /** Lists in their classes what is ready, making classes that are not there. */
  #list(): void {
    this.#told = performance.now();
    const ready = this.#ready;
    this.#ready = [];
    if (ready.length === 0) return;
    let { classes, nextClass } = this.#project.record as { classes: readonly ClassInfo[]; nextClass: number };
    const labels = [...new Set(ready.map(({ label }) => label))].sort((a, b) => compareCodePoints(a ?? '', b ?? ''));
    for (const label of labels) {
      const group = ready.filter((one) => one.label === label);
      let target = this.#classId === null ? classByName(classes, label ?? '') : classes.find(({ id }) => id === this.#classId);
      if (!target && this.#classId !== null) {
        for (const { image } of group) this.#skip(image.name, 'its class was removed meanwhile');
        void this.#project.removePictures(group.map(({ image }) => image.id));
        continue;
      }
      if (!target) {
        target = { id: nextClass++, name: checkedName(classes, tidyName(label ?? '') || 'Pictures'), images: [] };
        classes = [...classes, target];
      }
      const images = group.map(({ image }) => image);
      classes = withImages(classes, target.id, images);
      for (const { id } of images) this.#listed.add(id);
      this.#added += images.length;
    }
    this.#project.update({ classes, nextClass });
  }

  /** Those that were added stand in the order in which they were given, whichever was decoded first. */
  #order(files: readonly Labelled<Candidate>[]): void {
    if (this.#listed.size < 2) return;
    const places = new Map(files.map(({ path }, i) => [path, i]));
    const place = ({ name }: ImageInfo): number => places.get(name) ?? 0;
    const classes = this.#project.record.classes.map((one) => {
      const fresh = one.images.filter(({ id }) => this.#listed.has(id)).sort((a, b) => place(a) - place(b));
      return fresh.length < 2 ? one : { ...one, images: [...one.images.filter(({ id }) => !this.#listed.has(id)), ...fresh] };
    });
    this.#project.update({ classes });
  }
}
