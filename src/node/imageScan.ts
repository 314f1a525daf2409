/** Walks an image folder: which files there are, under which label, in which split. Reads no image. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from '../errors';
import { compareCodePoints } from '../data/dataset';
import { IMAGE_EXTENSIONS, SPLIT_FOLDERS, UNREADABLE_EXTENSIONS, areSplits, extensionOf } from '../data/folderNames';
import type { SkippedImage, SplitName } from '../data/collection';
import { counted } from '../report/format';

export interface ScannedFile {
  /** Relative to the root, `/` between parts. */
  readonly name: string;
  readonly path: string;
  readonly label: string;
  readonly split?: SplitName;
}

export interface Scan {
  readonly files: readonly ScannedFile[];
  /** Every label folder, also empty ones. */
  readonly labels: readonly string[];
  readonly skipped: readonly SkippedImage[];
  readonly warnings: readonly string[];
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'broken';
}

/**
 * `label/…/image`, or, when the root holds nothing but split folders, `train|val|test/label/…/image`. Hidden files
 * and folders are ignored, symbolic links followed, each folder entered once a label, so loops end.
 * @throws DataError when `root` is not a folder that can be read, or holds images but no label folders
 */
export async function scanFolder(root: string): Promise<Scan> {
  const top = await readRoot(root);
  const folders = top.filter(({ kind }) => kind === 'folder');
  const files: ScannedFile[] = [];
  const labels = new Set<string>();
  const skipped: SkippedImage[] = [];
  const warnings: string[] = [];

  const loose = top.filter(({ kind, name }) => kind === 'file' && isImage(name));
  if (loose.length > 0 && folders.length === 0) {
    throw new DataError(
      `image folder '${root}': holds ${counted(loose.length, 'image')} but no label folders. `
      + "Move each label's images into a folder of that name",
    );
  }
  if (loose.length > 0) {
    warnings.push(`${loose.length === 1 ? 'an image lies' : `${loose.length} images lie`} outside of any label folder and ${loose.length === 1 ? 'was left out' : 'were left out, the first'}: ${loose[0].name}`);
  }

  const scanLabel = async (folder: Entry, prefix: string, split?: SplitName): Promise<void> => {
    const label = folder.name.normalize('NFC'); // macOS may store a name in another form of the same text
    labels.add(label);
    const visited = new Set([await realpath(root)]);
    const walk = async (path: string, name: string): Promise<void> => {
      let entries: Entry[];
      try {
        const real = await realpath(path);
        if (visited.has(real)) {
          warnings.push(`'${name}' leads back to a folder already read and was not entered again`);
          return;
        }
        visited.add(real);
        entries = await readEntries(path);
      } catch (error) {
        warnings.push(`folder '${name}' cannot be read (${codeOf(error)}) and was left out`);
        return;
      }
      for (const entry of entries) {
        const entryName = `${name}/${entry.name}`;
        if (entry.kind === 'folder') await walk(entry.path, entryName);
        else if (entry.kind === 'broken' && isImage(entry.name)) {
          skipped.push({ path: entryName, reason: 'it is a broken link or not a regular file' });
        } else if (entry.kind === 'file' && isImage(entry.name)) {
          files.push({ name: entryName, path: entry.path, label, ...(split !== undefined && { split }) });
        } else if (entry.kind === 'file' && UNREADABLE_EXTENSIONS.includes(extensionOf(entry.name))) {
          skipped.push({ path: entryName, reason: `${extname(entry.name)} is not read; convert it to JPEG or PNG` });
        }
      }
    };
    await walk(folder.path, prefix + folder.name);
  };

  const splits = await splitFolders(folders);
  if (splits === undefined) {
    for (const folder of folders) await scanLabel(folder, '');
  } else {
    for (const { folder, split, labelFolders } of splits) {
      for (const label of labelFolders) await scanLabel(label, `${folder.name}/`, split);
    }
  }
  return { files, labels: [...labels], skipped, warnings };
}

/** The split folders, when the root has a training folder, at least one other, and nothing else. */
async function splitFolders(
  folders: readonly Entry[],
): Promise<{ folder: Entry; split: SplitName; labelFolders: Entry[] }[] | undefined> {
  if (!areSplits(folders.map(({ name }) => name))) return undefined;
  const result = [];
  for (const folder of folders) {
    const split = SPLIT_FOLDERS[folder.name.toLowerCase()];
    const entries = await readEntries(folder.path);
    const labelFolders = entries.filter(({ kind }) => kind === 'folder');
    if (labelFolders.length === 0) return undefined; // images right in it: 'train' and 'test' are labels here
    result.push({ folder, split, labelFolders });
  }
  return result;
}

async function readRoot(root: string): Promise<Entry[]> {
  try {
    const info = await stat(root);
    if (!info.isDirectory()) {
      throw new DataError(`image folder '${root}': is a file, not a folder. Give the folder that holds one folder a label`);
    }
    return await readEntries(root);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const code = codeOf(error);
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new DataError(`image folder '${root}': ${why}. Give the folder that holds one folder a label`, { cause: error });
  }
}

/** What is visible in a folder, links resolved, in order of names. */
async function readEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
    const path = join(folder, entry.name);
    entries.push({ name: entry.name, path, kind: await kindOf(path) });
  }
  return entries.sort((a, b) => compareCodePoints(a.name, b.name));
}

async function kindOf(path: string): Promise<Entry['kind']> {
  try {
    const info = await stat(path);
    return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'broken';
  } catch {
    return 'broken';
  }
}

function isImage(path: string): boolean {
  return IMAGE_EXTENSIONS.includes(extensionOf(path));
}

function codeOf(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}
