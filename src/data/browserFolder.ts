/** An image folder that a web page was given: a file input's files, a dropped folder, or a directory handle. */
import { DataError } from '../errors';
import { fromFiles, type FromFilesOptions, type LabelledFile } from './blobDataset';
import type { ImageCollection } from './collection';
import { IMAGE_EXTENSIONS, SPLIT_FOLDERS, areSplits, extensionOf } from './folderNames';

/**
 * `label/…/image`, or `train|val|test/label/…/image`, as the Node version reads folders on disk.
 *
 * @param source files of `<input type="file" webkitdirectory>` (each knows its path from the chosen folder), or a
 * handle of `showDirectoryPicker()`
 * @throws DataError when files carry no folder to take a label from, or cannot be trained on
 */
export async function imageFolder(source: Iterable<File> | FileSystemDirectoryHandle, options: FromFilesOptions = {}): Promise<ImageCollection> {
  const found = isHandle(source) ? await filesBelow(source, '') : Array.from(source, (file) => ({ path: belowRoot(file), file }));
  const images = found.filter(({ path }) => IMAGE_EXTENSIONS.includes(extensionOf(path)) && !path.split('/').some((part) => part.startsWith('.')));
  const loose = images.find(({ path }) => !path.includes('/'));
  if (loose) throw new DataError(`image folder: '${loose.path}' lies in no label folder; choose the folder that holds one folder a label`);
  const tops = [...new Set(images.map(({ path }) => path.split('/')[0]))];
  const splits = areSplits(tops) && images.every(({ path }) => path.split('/').length > 2);
  const files = images.map(({ path, file }): LabelledFile => {
    const [top, below] = path.split('/');
    return splits ? { name: path, blob: file, label: below, split: SPLIT_FOLDERS[top.toLowerCase()] } : { name: path, blob: file, label: top };
  });
  return fromFiles(files, options);
}

interface FoundFile {
  /** From the chosen folder, `/` between parts. */
  readonly path: string;
  readonly file: File;
}

/** A file's path without the chosen folder's own name. */
function belowRoot(file: File): string {
  return file.webkitRelativePath === '' ? file.name : file.webkitRelativePath.split('/').slice(1).join('/');
}

function isHandle(source: Iterable<File> | FileSystemDirectoryHandle): source is FileSystemDirectoryHandle {
  return 'kind' in source && source.kind === 'directory';
}

async function filesBelow(folder: FileSystemDirectoryHandle, prefix: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for await (const [name, handle] of folder.entries()) {
    const path = `${prefix}${name}`;
    if (handle.kind === 'directory') found.push(...(await filesBelow(handle as FileSystemDirectoryHandle, `${path}/`)));
    else found.push({ path, file: await (handle as FileSystemFileHandle).getFile() });
  }
  return found;
}
