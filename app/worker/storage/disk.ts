/** Named files, kept in the browser or only in memory: one interface for both. Paths have `/` between their parts. */

export type Contents = Blob | Uint8Array<ArrayBuffer> | string;

export interface Disk {
  /** Whether files outlive the tab. */
  readonly lasting: boolean;
  /** Undefined where there is no such file. */
  read(path: string): Promise<Blob | undefined>;
  /**
   * Whole or not at all: what was there before stays until all of `contents` is written.
   * @throws DOMException `QuotaExceededError` when there is no room
   */
  write(path: string, contents: Contents): Promise<void>;
  /** A file, or a folder with all that is in it; nothing happens where there is none. */
  remove(path: string): Promise<void>;
  /** Names of the files and folders in a folder; none where there is no such folder. */
  list(folder: string): Promise<string[]>;
}

export async function readText(disk: Disk, path: string): Promise<string | undefined> {
  return (await disk.read(path))?.text();
}

export function isQuotaError(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}

/** Files that last as long as the tab: where the browser lends no storage, and for what did not fit. */
export function memoryDisk(): Disk {
  const files = new Map<string, Blob>();
  return {
    lasting: false,
    read: (path) => Promise.resolve(files.get(path)),
    write: (path, contents) => Promise.resolve(void files.set(path, contents instanceof Blob ? contents : new Blob([contents]))),
    remove(path) {
      for (const name of files.keys()) if (name === path || name.startsWith(`${path}/`)) files.delete(name);
      return Promise.resolve();
    },
    list(folder) {
      const inside = [...files.keys()].filter((name) => name.startsWith(`${folder}/`)).map((name) => name.slice(folder.length + 1).split('/')[0]);
      return Promise.resolve([...new Set(inside)]);
    },
  };
}
