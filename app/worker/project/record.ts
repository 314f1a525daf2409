/** What is written down of a project, and how it is checked when it is read again: it may come from anywhere. */
import { DataError, recipeOf } from './checks';
import { DEFAULT_SETTINGS, type ClassInfo, type ImageInfo, type Settings } from '../../shared/protocol';
import { tidyName } from './classes';

export const PROJECT_FORMAT = 'graft-project-1';

export type BaseRecord =
  | { readonly kind: 'shipped' }
  | { readonly kind: 'published'; readonly name: string }
  /** Kept in the project's folder `base`. */
  | { readonly kind: 'files'; readonly names: readonly string[] };

/** The contents of `project.json`. */
export interface ProjectRecord {
  readonly format: typeof PROJECT_FORMAT;
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly changed: number;
  readonly nextClass: number;
  readonly classes: readonly ClassInfo[];
  readonly base: BaseRecord | null;
  readonly settings: Settings;
  /** Whether the sample was added, whose held-out pictures can be tried. */
  readonly sample: boolean;
}

export function emptyRecord(name = 'Untitled'): ProjectRecord {
  return { format: PROJECT_FORMAT, id: crypto.randomUUID(), name, changed: Date.now(), nextClass: 1, classes: [], base: null, settings: DEFAULT_SETTINGS, sample: false };
}

/** @throws DataError that says what is wrong with it. */
export function parseRecord(text: string, where: string): ProjectRecord {
  let found: Partial<ProjectRecord> | null;
  try {
    found = JSON.parse(text) as Partial<ProjectRecord> | null;
  } catch (error) {
    throw new DataError(`${where} is not JSON: ${(error as Error).message}`);
  }
  if (found?.format !== PROJECT_FORMAT) throw new DataError(`${where} is no project of this program: its format is '${String(found?.format)}', not '${PROJECT_FORMAT}'`);
  const classes = checkedClasses(found.classes, where);
  return {
    format: PROJECT_FORMAT,
    id: typeof found.id === 'string' && /^[\w-]{1,64}$/.test(found.id) ? found.id : crypto.randomUUID(),
    name: tidyName(String(found.name ?? '')) || 'Untitled',
    changed: Number.isFinite(found.changed) ? Number(found.changed) : Date.now(),
    nextClass: Math.max(1, ...classes.map(({ id }) => id + 1), Number.isInteger(found.nextClass) ? Number(found.nextClass) : 1),
    classes,
    base: checkedBase(found.base, where),
    settings: checkedSettings({ ...DEFAULT_SETTINGS, ...found.settings }),
    sample: found.sample === true,
  };
}

/** @throws UsageError for a value out of range. */
export function checkedSettings(settings: Settings): Settings {
  const known = Object.fromEntries(Object.keys(DEFAULT_SETTINGS).map((key) => [key, settings[key as keyof Settings]])) as unknown as Settings;
  recipeOf(known);
  return known;
}

function checkedClasses(classes: unknown, where: string): ClassInfo[] {
  if (!Array.isArray(classes)) throw new DataError(`${where} has no list of classes`);
  const seenClasses = new Set<unknown>();
  const seenImages = new Set<string>();
  return classes.map((one: Partial<ClassInfo>, i) => {
    const name = tidyName(String(one.name ?? ''));
    if (!Number.isSafeInteger(one.id) || seenClasses.has(one.id) || name === '' || seenClasses.has(name.toLowerCase()) || !Array.isArray(one.images)) {
      throw new DataError(`${where}: class ${i + 1} lacks a number and a name of its own, or its images`);
    }
    seenClasses.add(one.id).add(name.toLowerCase());
    const images = one.images.map((image: Partial<ImageInfo>): ImageInfo => {
      if (typeof image.id !== 'string' || !/^[0-9a-f]{64}$/.test(image.id) || seenImages.has(image.id)) {
        throw new DataError(`${where}: an image of class '${name}' has no SHA-256 of its own`);
      }
      seenImages.add(image.id);
      const part = image.part === 'validation' || image.part === 'test' ? image.part : undefined;
      return { id: image.id, name: String(image.name ?? image.id).slice(0, 1000), ...(part && { part }) };
    });
    return { id: Number(one.id), name, images };
  });
}

function checkedBase(base: unknown, where: string): BaseRecord | null {
  if (base === null || base === undefined) return null;
  const { kind, name, names } = base as { kind?: unknown; name?: unknown; names?: unknown };
  if (kind === 'shipped') return { kind };
  if (kind === 'published' && typeof name === 'string') return { kind, name };
  const isFile = (one: unknown): boolean => typeof one === 'string' && /^[^/\\]{1,200}$/.test(one) && !one.startsWith('.');
  if (kind === 'files' && Array.isArray(names) && names.length > 0 && names.length <= 2 && names.every(isFile)) return { kind, names: names as string[] };
  throw new DataError(`${where} names a base of no known kind`);
}
