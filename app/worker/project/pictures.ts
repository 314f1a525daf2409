/** A project's pictures: their bytes on the disk, or in memory where the disk would not take them. */
import { UsageError } from '../../../src/index';
import type { ImageId } from '../../shared/protocol';
import type { Disk } from '../storage/disk';

export interface Pictures {
  /** Whether the project has it already, listed in a class or on its way there. */
  has(id: ImageId): boolean;
  /** Keeps a picture. Where the disk takes no more it stays in memory, and the error is told to `onProblem`. */
  put(id: ImageId, blob: Blob, thumbnail: Blob): Promise<void>;
  /** @throws UsageError where it is gone. */
  blob(id: ImageId): Promise<Blob>;
  thumbnail(id: ImageId): Promise<Blob>;
  remove(ids: Iterable<ImageId>): Promise<void>;
  /** Pictures that only memory holds, which a reload would lose. */
  readonly unkept: ReadonlySet<ImageId>;
  /** Tries to write those again. */
  keepAll(): Promise<void>;
}

export function openPictures(disk: Disk, folder: string, known: Iterable<ImageId>, onProblem: (error: unknown) => void): Pictures {
  const ids = new Set(known);
  const inMemory = new Map<ImageId, { blob: Blob; thumbnail: Blob }>();
  const unkept = new Set<ImageId>();

  async function write(id: ImageId, blob: Blob, thumbnail: Blob): Promise<boolean> {
    try {
      await disk.write(`${folder}/images/${id}`, blob);
      await disk.write(`${folder}/thumbs/${id}`, thumbnail);
      return true;
    } catch (error) {
      onProblem(error);
      return false;
    }
  }

  return {
    unkept,
    has: (id) => ids.has(id),
    async put(id, blob, thumbnail) {
      ids.add(id);
      if (await write(id, blob, thumbnail)) return;
      inMemory.set(id, { blob, thumbnail });
      unkept.add(id);
    },
    async blob(id) {
      const found = inMemory.get(id)?.blob ?? (ids.has(id) ? await disk.read(`${folder}/images/${id}`) : undefined);
      if (!found) throw new UsageError(`The picture ${id.slice(0, 8)} is no longer there.`);
      return found;
    },
    async thumbnail(id) {
      const found = inMemory.get(id)?.thumbnail ?? (ids.has(id) ? await disk.read(`${folder}/thumbs/${id}`) : undefined);
      return found ?? this.blob(id);
    },
    async remove(gone) {
      for (const id of gone) {
        ids.delete(id);
        unkept.delete(id);
        if (inMemory.delete(id)) continue;
        await disk.remove(`${folder}/images/${id}`);
        await disk.remove(`${folder}/thumbs/${id}`);
      }
    },
    async keepAll() {
      for (const id of [...unkept]) {
        const held = inMemory.get(id);
        if (!held || !(await write(id, held.blob, held.thumbnail))) return;
        inMemory.delete(id);
        unkept.delete(id);
      }
    },
  };
}
