/** An opened fixture of format 1: its metadata checked, its tensors handed out by name and counted. */
import { DtypeError, WeightsError } from '../errors';
import type { Dtype, HostTensor } from '../hostTensor';
import type { WeightsFile } from '../weights/weightsFile';
import { Args } from './args';

export const FIXTURE_FORMAT = 'graft-fixture-1';

/** What a fixture needs of the file it is in. */
export type FixtureFile = Pick<WeightsFile, 'metadata' | 'names' | 'info' | 'read'>;

export class Fixture {
  readonly op: string;
  readonly args: Args;
  readonly #file: FixtureFile;
  readonly #tolerance: number;
  readonly #asked = new Set<string>();
  #loosened = false;

  /** @throws WeightsError, UsageError when the metadata is not that of a fixture. */
  constructor(file: FixtureFile) {
    const { format, op, args = '{}', tolerance = '0' } = file.metadata;
    if (format !== FIXTURE_FORMAT) {
      throw new WeightsError(
        format === undefined
          ? `not a fixture: its metadata has no 'format' (${FIXTURE_FORMAT} is read)`
          : `its metadata says format '${format}'; ${FIXTURE_FORMAT} is read`,
      );
    }
    if (op === undefined) throw new WeightsError("its metadata has no 'op'");
    this.#tolerance = tolerance.trim() === '' ? NaN : Number(tolerance);
    if (!(this.#tolerance >= 0 && this.#tolerance < Infinity)) {
      throw new WeightsError(`its metadata has tolerance '${tolerance}', which is not a number of at least 0`);
    }
    this.op = op;
    this.args = Args.parse(args);
    this.#file = file;
  }

  /** The bound that holds in this file for one that is `usual`. Exact comparisons ask for none: nothing loosens them. */
  bound(usual: number): number {
    if (this.#tolerance > usual) this.#loosened = true;
    return Math.max(usual, this.#tolerance);
  }

  /** Whether any bound asked for was loosened. */
  get loosened(): boolean {
    return this.#loosened;
  }

  has(name: string): boolean {
    return this.#file.names.includes(name);
  }

  /** Names that begin with `prefix`, without it. */
  namesUnder(prefix: string): string[] {
    return this.#file.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  /** Shape of a tensor that is there. */
  shape(name: string): readonly number[] {
    return this.#file.info(name).shape;
  }

  /** Reads a tensor. @throws WeightsError when it is missing, DtypeError when it is of another type. */
  async tensor(name: string, dtype: Dtype = 'F32'): Promise<HostTensor> {
    if (!this.has(name)) throw new WeightsError(`tensor '${name}' is missing`);
    const found = this.#file.info(name).dtype;
    if (found !== dtype) throw new DtypeError(`tensor '${name}' is ${found}; it must be ${dtype}`);
    this.#asked.add(name);
    return this.#file.read(name);
  }

  /** Tensors nobody read and arguments nobody asked for are errors: nothing goes unchecked in silence. */
  finish(): void {
    this.args.finish();
    const unread = this.#file.names.filter((name) => !this.#asked.has(name));
    if (unread.length > 0) {
      const shown = unread.slice(0, 8).map((name) => `'${name}'`).join(', ');
      throw new WeightsError(`${this.op} does not use ${unread.length > 8 ? `${shown}, … (${unread.length} tensors)` : shown}: nothing would check it`);
    }
  }
}
