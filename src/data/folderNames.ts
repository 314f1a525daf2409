/** What names in an image folder mean, wherever the folder is: on disk or handed over by a browser. */
import type { SplitName } from './collection';

/** Extensions of files that are taken for images, in lower case. */
export const IMAGE_EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff', '.avif'];

/** Images to a person, but not to the decoders: worth a word rather than silence. */
export const UNREADABLE_EXTENSIONS = ['.heic', '.heif', '.jxl', '.jp2', '.psd', '.svg', '.dng', '.cr2', '.nef', '.arw'];

/** Folders that hold a part of the images rather than a label, by lower-case name. */
export const SPLIT_FOLDERS: Readonly<Record<string, SplitName>> = {
  train: 'train', training: 'train',
  val: 'validation', valid: 'validation', validation: 'validation',
  test: 'test', testing: 'test',
};

/** `.jpg` of `a/b.JPG`; empty where there is none, as in `.hidden`. */
export function extensionOf(path: string): string {
  return /[^/]\.([^./]+)$/.exec(path)?.[1].toLowerCase().replace(/^/, '.') ?? '';
}

/** Whether folders so named are the splits of one image set: a training folder, at least one other, nothing else. */
export function areSplits(names: readonly string[]): boolean {
  const kinds = names.map((name) => SPLIT_FOLDERS[name.toLowerCase()]);
  return kinds.every((kind) => kind !== undefined) && kinds.includes('train') && new Set(kinds).size >= 2;
}
