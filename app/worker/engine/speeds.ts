/** How fast this device runs networks, remembered by adapter and kind of network: measured once, mended by what runs take. */
import { measureSpeed, planCost, refineSpeed, rehearseSpeed, type Classifier, type FineTuneOptions, type FineTuneResult, type Speed } from '../../../src/index';
import { adapterKey } from '../../../src/tune/table';
import { readText, type Disk } from '../storage/disk';
import { oneAtATime } from '../storage/locks';

const FILE = 'timings.json';

export interface Timing {
  readonly speed: Speed;
  /** By a rehearsal alone: no run has told yet. */
  readonly rough: boolean;
}

export class Speeds {
  readonly #disk: Disk;
  readonly #known = new Map<string, Timing>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Measures where nothing is known; but null on a CPU adapter, where that takes long: see `rehearse`. For use within a turn. */
  async of(classifier: Classifier): Promise<Timing | null> {
    const known = await this.#timing(classifier);
    if (known || classifier.gpu.adapter.software) return known ?? null;
    return this.#keep(classifier, { speed: await measureSpeed(classifier), rough: false });
  }

  /** A guess, in a second or two, where nothing is known. For use within a turn that nobody waits for. */
  async rehearse(classifier: Classifier): Promise<Timing> {
    return await this.#timing(classifier) ?? this.#keep(classifier, { speed: await rehearseSpeed(classifier), rough: true });
  }

  /** Mends what is known by what a run took; for use within a turn. */
  async learn(classifier: Classifier, options: FineTuneOptions, result: FineTuneResult): Promise<void> {
    const before = (await this.of(classifier)) ?? await this.rehearse(classifier);
    const cost = await planCost(classifier, options, result.images);
    await this.#keep(classifier, { speed: refineSpeed(before.speed, cost, result), rough: false });
  }

  async #timing(classifier: Classifier): Promise<Timing | undefined> {
    const key = keyOf(classifier);
    const known = this.#known.get(key) ?? (await this.#kept())[key];
    if (known) this.#known.set(key, known);
    return known;
  }

  async #kept(): Promise<Record<string, Timing | undefined>> {
    try {
      return JSON.parse((await readText(this.#disk, FILE)) ?? '{}') as Record<string, Timing | undefined>;
    } catch {
      return {}; // it can be measured again
    }
  }

  async #keep(classifier: Classifier, timing: Timing): Promise<Timing> {
    const key = keyOf(classifier);
    this.#known.set(key, timing);
    // A guess that is not kept is no harm.
    await oneAtATime('speeds', async () => this.#disk.write(FILE, JSON.stringify({ ...(await this.#kept()), [key]: timing }))).catch(() => undefined);
    return timing;
  }
}

function keyOf({ gpu, network }: Classifier): string {
  return `${adapterKey(gpu.adapter)} ${network.architecture} ${network.width}`;
}
