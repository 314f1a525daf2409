/** Getting a base onto the device: found, opened, described, and told of as it goes. The last choice counts. */
import type { Classifier, Gpu } from '../../../src/index';
import { describeNetwork } from '../../../src/transfer/describe';
import type { BaseChoice, BaseInfo, BaseState } from '../../shared/protocol';
import type { Disk } from '../storage/disk';
import type { Keeping } from '../storage/keeping';
import { findBase, titleOf, type Base } from './bases';
import type { Engine } from './engine';
import type { Turns } from './turns';

export interface LoaderDeps {
  readonly engine: Engine;
  readonly turns: Turns;
  readonly disk: Disk;
  readonly keeping: Keeping;
  readonly tell: (state: BaseState) => void;
}

export class BaseLoader {
  readonly #deps: LoaderDeps;
  #abort: AbortController | undefined;

  constructor(deps: LoaderDeps) {
    this.#deps = deps;
  }

  /** The base and its network, or undefined when it failed (the state says why) or another choice took its place. */
  async load(choice: BaseChoice): Promise<{ base: Base; loaded: Classifier } | undefined> {
    const { engine, turns, disk, keeping, tell } = this.#deps;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const title = titleOf(choice);
    const say = (state: BaseState): void => {
      if (this.#abort === abort) tell(state);
    };
    say({ kind: 'loading', title, receivedBytes: 0, totalBytes: null, doing: 'reading' });
    try {
      let unkept: unknown;
      const base = await findBase(choice, { disk, signal: abort.signal, tell: say, onUnkept: (error) => { unkept = error; } });
      keeping.note('the downloaded weights', unkept);
      say({ kind: 'loading', title: base.title, receivedBytes: 0, totalBytes: null, doing: 'reading' });
      const { loaded, info } = await turns.take(async () => {
        const gpu = await engine.gpu();
        return opened(base, gpu);
      });
      if (this.#abort !== abort) {
        loaded.dispose();
        return undefined;
      }
      say({ kind: 'ready', info });
      return { base, loaded };
    } catch (error) {
      if (!abort.signal.aborted) say({ kind: 'failed', title, message: (error as Error).message });
      return undefined;
    } finally {
      if (this.#abort === abort) this.#abort = undefined;
    }
  }

  /** Ends what is being loaded. False where nothing was. */
  cancel(): boolean {
    const loading = this.#abort;
    this.#abort = undefined;
    loading?.abort();
    return loading !== undefined;
  }
}

async function opened(base: Base, gpu: Gpu): Promise<{ loaded: Classifier; info: BaseInfo }> {
  const loaded = await base.open(gpu);
  loaded.network.eval();
  const blocks = describeNetwork(loaded.network, loaded.preprocessing.cropSize);
  const { training: _training, ...card } = loaded.card();
  return { loaded, info: { title: base.title, card, parameters: blocks.reduce((sum, { parameters }) => sum + parameters, 0), blocks, notes: loaded.notes } };
}
