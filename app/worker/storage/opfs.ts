/** Files in the browser's own storage (OPFS), below one folder. No other site and no other program sees them. */
import type { Contents, Disk } from './disk';

const ROOT = 'graft';

/** The only way of writing that older Safari has, in workers alone, and of renaming. */
interface SyncHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array, options: { readonly at: number }): number;
    flush(): void;
    close(): void;
  }>;
  move(name: string): Promise<void>;
}

/** Undefined where the browser lends none, as private windows of some do. */
export async function openOpfs(): Promise<Disk | undefined> {
  try {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
    const disk = opfsDisk(root);
    // Some browsers hand out a folder and refuse to write in it.
    await disk.write('probe', 'graft');
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

  return {
    lasting: true,
    async read(path) {
      const [parent, name] = parts(path);
      return orNothing(async () => (await (await folder(parent, false)).getFileHandle(name)).getFile());
    },
    async write(path, contents) {
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

async function writeWhole(where: FileSystemDirectoryHandle, name: string, contents: Contents): Promise<void> {
  const handle = await where.getFileHandle(name, { create: true });
  if ('createWritable' in handle) {
    // A copy takes the file's place when it is closed, not before.
    const stream = await handle.createWritable();
    try {
      await stream.write(contents);
      await stream.close();
    } catch (error) {
      await stream.abort().catch(() => undefined);
      throw error;
    }
    return;
  }
  const partName = `${name}.part`;
  const part = await where.getFileHandle(partName, { create: true }) as SyncHandle;
  try {
    const access = await part.createSyncAccessHandle();
    try {
      const bytes = contents instanceof Uint8Array ? contents : new Uint8Array(await new Blob([contents]).arrayBuffer());
      access.truncate(0);
      let written = 0;
      while (written < bytes.length) written += access.write(bytes.subarray(written), { at: written });
      access.flush();
    } finally {
      access.close();
    }
    await part.move(name);
  } catch (error) {
    await where.removeEntry(partName).catch(() => undefined);
    throw error;
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
