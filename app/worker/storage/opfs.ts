/** Files in the browser's own storage (OPFS), below one folder. No other site and no other program sees them. */
import type { Contents, Disk } from './disk';

const ROOT = 'graft';

/** The only way of writing that Safari before 26 has, in workers alone, and of renaming: to a name in a folder, both given. */
interface SyncHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array, options: { readonly at: number }): number;
    flush(): void;
    close(): void;
  }>;
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** Bytes that are written at once: large files are not read into memory whole. */
const PIECE = 4 * 2 ** 20;

/** Undefined where the browser lends none, as private windows of some do. */
export async function openOpfs(): Promise<Disk | undefined> {
  try {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
    const disk = opfsDisk(root);
    // Some browsers hand out a folder and refuse to write in it. Of a name of its own: another tab may try just now.
    const probe = `probe-${crypto.randomUUID()}`;
    await disk.write(probe, 'graft');
    await disk.remove(probe);
    return disk;
  } catch (error) {
    // A full disk is still a disk: what is on it can be read, and room made.
    if (error instanceof DOMException && error.name === 'QuotaExceededError') return opfsDisk(await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true }));
    return undefined;
  }
}

function opfsDisk(root: FileSystemDirectoryHandle): Disk {
  /** Handles of folders: an import writes thousands of files into the same two. */
  const folders = new Map<string, Promise<FileSystemDirectoryHandle>>();
  /** Ends of writes that go on, by path: two of one file come one after the other. */
  const writes = new Map<string, Promise<void>>();

  function folder(path: string, create: boolean): Promise<FileSystemDirectoryHandle> {
    if (path === '') return Promise.resolve(root);
    const known = folders.get(path);
    if (known) return known;
    const slash = path.lastIndexOf('/');
    const opened = folder(path.slice(0, Math.max(0, slash)), create).then((parent) => parent.getDirectoryHandle(path.slice(slash + 1), { create }));
    folders.set(path, opened);
    opened.catch(() => folders.delete(path));
    return opened;
  }

  async function writeNow(path: string, contents: Contents): Promise<void> {
    const [parent, name] = parts(path);
    const where = await folder(parent, true);
    const before = await orNothing(() => where.getFileHandle(name));
    try {
      await writeWhole(where, name, contents);
    } catch (error) {
      // Asking for a handle to write with makes an empty file: that is no file of ours.
      if (before === undefined) await where.removeEntry(name).catch(() => undefined);
      throw error;
    }
  }

  return {
    lasting: true,
    async read(path) {
      const [parent, name] = parts(path);
      return orNothing(async () => (await (await folder(parent, false)).getFileHandle(name)).getFile());
    },
    async write(path, contents) {
      const before = writes.get(path);
      const write = before ? before.then(() => writeNow(path, contents)) : writeNow(path, contents);
      const ended = write.catch(() => undefined);
      writes.set(path, ended);
      try {
        await write;
      } finally {
        if (writes.get(path) === ended) writes.delete(path);
      }
    },
    async remove(path) {
      const [parent, name] = parts(path);
      for (const known of folders.keys()) if (known === path || known.startsWith(`${path}/`)) folders.delete(known);
      await orNothing(async () => (await folder(parent, false)).removeEntry(name, { recursive: true }));
    },
    async list(path) {
      const names: string[] = [];
      await orNothing(async () => {
        for await (const name of (await folder(path, false)).keys()) names.push(name);
      });
      return names;
    },
  };
}

/** A copy takes the file's place when it is complete, not before. */
async function writeWhole(where: FileSystemDirectoryHandle, name: string, contents: Contents): Promise<void> {
  if (!('createWritable' in FileSystemFileHandle.prototype)) return writeAside(where, name, contents);
  const handle = await where.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  try {
    await stream.write(contents);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => undefined);
    throw error;
  }
}

/** The same where the browser has no copies of its own: another file, which is then moved there. */
async function writeAside(where: FileSystemDirectoryHandle, name: string, contents: Contents): Promise<void> {
  const partName = `${name}.part`;
  const part = await where.getFileHandle(partName, { create: true }) as SyncHandle;
  try {
    const access = await part.createSyncAccessHandle();
    try {
      const blob = contents instanceof Blob ? contents : new Blob([contents]);
      access.truncate(0);
      for (let from = 0; from < blob.size; from += PIECE) writeAt(access, from, new Uint8Array(await blob.slice(from, from + PIECE).arrayBuffer()));
      access.flush();
    } finally {
      access.close();
    }
    await part.move(where, name);
  } catch (error) {
    await where.removeEntry(partName).catch(() => undefined);
    throw error;
  }
}

/** All of it: a handle may take less than it is given. @throws DOMException `QuotaExceededError` where it takes nothing more. */
function writeAt(access: { write(bytes: Uint8Array, options: { readonly at: number }): number }, at: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    const now = access.write(bytes.subarray(written), { at: at + written });
    if (now === 0) throw new DOMException('The file could not be written to its end.', 'QuotaExceededError');
    written += now;
  }
}

function parts(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
}

async function orNothing<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')) return undefined;
    throw error;
  }
}
