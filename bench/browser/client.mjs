/** The coordinator's side of an engine in a browser: starts its worker, asks it for one thing at a time, and ends it. */
import { Stopped } from '../lib/suites.mjs';

const TIMEOUT_MS = 10 * 60_000;
const running = new Set();

/** Starts an engine; resolves when it is ready, with the time since its worker was made, less what making its files took. */
export async function start(name, makeWorker, kind, config) {
  const began = performance.now();
  const engine = new Engine(name, makeWorker());
  try {
    await engine.answer('loading'); // its first message: the scripts are there
    const first = await engine.ask('start', { kind, config });
    return Object.assign(engine, first, { coldMs: performance.now() - began - first.preparationMs });
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

/** Ends every engine at once; whoever waits for one gets `Stopped`. */
export function stopEverything() {
  for (const engine of [...running]) engine.abandon();
}

class Engine {
  #worker;
  #fail;

  constructor(name, worker) {
    this.name = name;
    this.#worker = worker;
    running.add(this);
  }

  ask(action, more = {}) {
    if (!this.#worker) return Promise.reject(new Stopped());
    const answer = this.answer(action);
    this.#worker.postMessage({ action, ...more });
    return answer;
  }

  answer(what) {
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const settle = (act) => {
        clearTimeout(timer);
        this.#fail = undefined;
        worker.onmessage = worker.onerror = worker.onmessageerror = null;
        act();
      };
      const fail = (why) => settle(() => reject(why instanceof Error ? why : new Error(`${this.name}: ${why}`)));
      const timer = setTimeout(() => {
        worker.terminate();
        fail(`no answer to '${what}' within ${TIMEOUT_MS / 60_000} minutes`);
      }, TIMEOUT_MS);
      this.#fail = fail;
      worker.onmessage = ({ data: { result, error } }) => (error === undefined ? settle(() => resolve(result)) : fail(error));
      worker.onerror = (event) => {
        event.preventDefault();
        fail(event.message || 'its scripts could not be loaded');
      };
      worker.onmessageerror = () => fail('an answer that could not be read');
    });
  }

  abandon() {
    this.#worker?.terminate();
    this.#worker = undefined;
    running.delete(this);
    this.#fail?.(new Stopped());
  }

  async stop() {
    this.abandon();
  }
}
