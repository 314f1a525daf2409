/** How much is stored, how much may be, and what could not be kept: the page's `storage` slice. */
import type { StorageState } from '../../shared/protocol';
import { isQuotaError, type Disk } from './disk';

/** Things that can fail to be kept, as sentences name them. */
export type Kept = 'pictures' | 'changes to the project' | 'the state of training' | 'the trained model' | 'features of the pictures' | 'the downloaded weights' | 'the base';

const MEMORY_ONLY = 'This browser lends the page no storage (a private window, perhaps), so everything lasts only as long as this tab. Export the project before you close it.';

export class Keeping {
  readonly #disk: Disk;
  readonly #tell: (state: StorageState) => void;
  readonly #failed = new Map<Kept, unknown>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(disk: Disk, tell: (state: StorageState) => void) {
    this.#disk = disk;
    this.#tell = tell;
  }

  /** Notes the outcome of keeping something; without an error it is kept now. */
  note(what: Kept, error?: unknown): void {
    const before = this.#failed.size;
    if (error === undefined) this.#failed.delete(what);
    else this.#failed.set(what, error);
    if (error !== undefined || before !== this.#failed.size) void this.refresh();
    else this.#timer ??= setTimeout(() => void this.refresh(), 2000);
  }

  /** Another project is open: what the one before lacked is not its matter. */
  clear(): void {
    if (this.#failed.size === 0) return;
    this.#failed.clear();
    void this.refresh();
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { usage = null, quota = null } = this.#disk.lasting ? await navigator.storage.estimate().catch(() => ({ usage: undefined, quota: undefined })) : {};
    this.#tell({ usedBytes: usage, quotaBytes: quota, problem: this.#problem(usage, quota) });
  }

  #problem(usage: number | null, quota: number | null): string | null {
    if (!this.#disk.lasting) return MEMORY_ONLY;
    const [first] = this.#failed.values();
    if (first === undefined) return null;
    const names = [...this.#failed.keys()];
    const what = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    const used = usage !== null && quota !== null ? ` (${megabytes(usage)} of ${megabytes(quota)} are used)` : '';
    const why = isQuotaError(first) ? `the browser gives this site no more storage${used}` : `the browser's storage refused (${first instanceof Error ? first.message : String(first)})`;
    return `Not kept: ${what}, because ${why}. It goes on in this tab's memory and would be lost with it. Delete a project that you no longer need or free disk space, or export this one; what was kept before is unharmed.`;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
}
