/** What the names of incoming files say: which are pictures, which class they are of, which part they belong to. */
import { IMAGE_EXTENSIONS, SPLIT_FOLDERS, UNREADABLE_EXTENSIONS, areSplits, extensionOf } from '../../../src/data/folderNames';

/** A file with its path from where it was dropped, or from its archive's root. */
export interface Placed<T> {
  readonly path: string;
  readonly file: T;
}

export interface Labelled<T> extends Placed<T> {
  /** Undefined for a file that lies in no folder. */
  readonly label: string | undefined;
  readonly part?: 'validation' | 'test';
}

/** Files that systems leave everywhere and nobody means to add. */
export function isDebris(path: string): boolean {
  const parts = path.split('/');
  return parts.some((part) => part.startsWith('.') || part === '__MACOSX') || /^(thumbs\.db|desktop\.ini)$/i.test(parts.at(-1) ?? '') || path.endsWith('/');
}

/** Why a file of this name and type is not tried as a picture; undefined where it is. */
export function refusedByName(path: string, type: string): string | undefined {
  const extension = extensionOf(path);
  if (IMAGE_EXTENSIONS.includes(extension) || extension === '' || type.startsWith('image/') && !UNREADABLE_EXTENSIONS.includes(extension)) return undefined;
  if (UNREADABLE_EXTENSIONS.includes(extension)) return `browsers cannot decode ${extension} files; save it as JPEG or PNG`;
  return `a ${extension} file is no picture`;
}

/** Parts without empty ones, `.` and `..`: names out of archives are not to be trusted with more than a label. */
export function cleanPath(path: string): string {
  return path.replaceAll('\\', '/').split('/').filter((part) => part !== '' && part !== '.' && part !== '..').join('/');
}

/**
 * Labels of files that came together: `label/…/picture`, or `train|val|test/label/…/picture`. Folders around all of
 * them are left aside.
 */
export function labelled<T>(files: readonly Placed<T>[], loose?: string): Labelled<T>[] {
  const depth = commonDepth(files.map(({ path }) => path.split('/')));
  const cut = files.map(({ path }) => path.split('/').slice(depth));
  const tops = [...new Set(cut.map(([top]) => top))];
  const splits = areSplits(tops) && cut.every((parts) => parts.length > 2);
  return files.map((one, i) => {
    const parts = cut[i];
    if (parts.length < 2) return { ...one, label: loose };
    if (!splits) return { ...one, label: parts[0] };
    const part = SPLIT_FOLDERS[parts[0].toLowerCase()];
    return { ...one, label: parts[1], ...(part !== 'train' && { part }) };
  });
}

/** How many folders hold all of the files and none of them directly. */
function commonDepth(paths: readonly (readonly string[])[]): number {
  let depth = 0;
  while (paths.length > 0 && paths.every((parts) => parts.length > depth + 2 && parts[depth] === paths[0][depth])) depth++;
  return depth;
}
