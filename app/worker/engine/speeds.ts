/** How fast this device runs networks, remembered by adapter and kind of network: measured once, mended by what runs take. */
import { measureSpeed, planCost, refineSpeed, type Classifier, type FineTuneOptions, type FineTuneResult, type Speed } from '../../../src/index';
import { adapterKey } from '../../../src/tune/table';
import { readText, type Disk } from '../storage/disk';
import { oneAtATime } from '../storage/locks';

const FILE = 'speeds.json';
/** Where an adapter is too slow to be measured before it is known to be wanted: the first run tells. */
const SOFTWARE: Speed = { forward: 2e9, backward: 2e9, overhead: 0.01, startup: { forward: 2, backward: 4 } };

export class Speeds {
  readonly #disk: Disk;
  readonly #known = new Map<string, Speed>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Null on a CPU adapter before its first run. Measures on others where nothing is known; for use within a turn. */
  async of(classifier: Classifier): Promise<Speed | null> {
    const key = keyOf(classifier);
    const known = this.#known.get(key) ?? (await this.#kept())[key];
    if (known) this.#known.set(key, known);
    if (known || classifier.gpu.adapter.software) return known ?? null;
    const measured = await measureSpeed(classifier);
    await this.#keep(key, measured);
    return measured;
  }

  /** Mends what is known by what a run took; for use within a turn. */
  async learn(classifier: Classifier, options: FineTuneOptions, result: FineTuneResult): Promise<void> {
    const before = (await this.of(classifier)) ?? SOFTWARE;
    const cost = await planCost(classifier, options, result.images);
    await this.#keep(keyOf(classifier), refineSpeed(before, cost, result));
  }

  async #kept(): Promise<Record<string, Speed | undefined>> {
    try {
      return JSON.parse((await readText(this.#disk, FILE)) ?? '{}') as Record<string, Speed | undefined>;
    } catch {
      return {}; // it can be measured again
    }
  }

  async #keep(key: string, speed: Speed): Promise<void> {
    this.#known.set(key, speed);
    // A guess that is not kept is no harm.
    await oneAtATime('speeds', async () => this.#disk.write(FILE, JSON.stringify({ ...(await this.#kept()), [key]: speed }))).catch(() => undefined);
  }
}

function keyOf({ gpu, network }: Classifier): string {
  return `${adapterKey(gpu.adapter)} ${network.architecture} ${network.width}`;
}
