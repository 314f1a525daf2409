/** Writing what may fail to be kept: that is told, and no reason for anything to end. */
import type { Contents, Disk } from './disk';
import type { Keeping, Kept } from './keeping';

/** After a write that failed, the next unimportant ones are spared the disk for so long, in milliseconds. */
const REST = 30_000;

export class Writer {
  readonly #disk: Disk;
  readonly #keeping: Keeping;
  readonly #closed: () => boolean;
  #restUntil = 0;

  /** `closed`: from when on nothing is written any more. */
  constructor(disk: Disk, keeping: Keeping, closed: () => boolean) {
    this.#disk = disk;
    this.#keeping = keeping;
    this.#closed = closed;
  }

  /** Whether it was kept. */
  async write(what: Kept, path: string, contents: Contents, { important = false }: { readonly important?: boolean } = {}): Promise<boolean> {
    if (this.#closed() || (!important && performance.now() < this.#restUntil)) return false;
    try {
      await this.#disk.write(path, contents);
      this.#keeping.note(what);
      return true;
    } catch (error) {
      this.#restUntil = performance.now() + REST;
      this.#keeping.note(what, error);
      return false;
    }
  }
}
