/** Files from drops, pastes and file inputs, with their paths where they came in folders. */
import type { IncomingFile } from '../shared/protocol';

/**
 * All files of a drop or paste, folders opened. Call it in the event's handler: a transfer is emptied when that returns.
 * Folders that cannot be read are left out with what they hold.
 */
export async function filesOfTransfer(transfer: DataTransfer): Promise<IncomingFile[]> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file').map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found = await Promise.all(items.map(async ({ entry, file }) => {
    if (entry?.isDirectory) return filesBelow(entry as FileSystemDirectoryEntry, entry.name);
    return file ? [{ path: file.name, blob: file }] : [];
  }));
  return found.flat();
}

export function filesOfInput({ files }: HTMLInputElement): IncomingFile[] {
  return [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })).filter(({ path }) => !isHidden(path));
}

/** Whether a drag or paste carries files. */
export function carriesFiles(transfer: DataTransfer | null): transfer is DataTransfer {
  return transfer !== null && [...transfer.types].includes('Files');
}

async function filesBelow(folder: FileSystemDirectoryEntry, path: string): Promise<IncomingFile[]> {
  const found: IncomingFile[] = [];
  for (const entry of await entriesOf(folder)) {
    const below = `${path}/${entry.name}`;
    if (isHidden(entry.name)) continue;
    if (entry.isDirectory) found.push(...await filesBelow(entry as FileSystemDirectoryEntry, below));
    else {
      const file = await new Promise<File | null>((resolve) => (entry as FileSystemFileEntry).file(resolve, () => resolve(null)));
      if (file) found.push({ path: below, blob: file });
    }
  }
  return found;
}

/** A reader gives a hundred entries at a time, and none when there are no more. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return all.sort((a, b) => (a.name < b.name ? -1 : 1));
    all.push(...some);
  }
}

/** `.DS_Store`, `Thumbs.db` and their kind, which nobody means to add. */
function isHidden(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.startsWith('.') || name === 'Thumbs.db' || name === 'desktop.ini';
}
