/** The coordinator's side of an engine: starts its process, asks it for one thing at a time, and ends it. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 20 * 60_000;
const SERVE = fileURLToPath(new URL('serve.mjs', import.meta.url));

/** Starts an engine; resolves when it is ready, with the time since the process was started. */
export async function start({ name, module }, config) {
  const began = performance.now();
  const child = fork(SERVE, [module, JSON.stringify(config)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
  const engine = new Engine(name, child);
  const first = await engine.answer('start');
  return Object.assign(engine, first, { coldMs: performance.now() - began });
}

class Engine {
  #child;
  #errors = '';
  #ended;

  constructor(name, child) {
    this.name = name;
    this.#child = child;
    // It may end between two requests, when nobody listens.
    child.on('close', (code, signal) => (this.#ended = signal ?? `exit status ${code}`)).on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text) => (this.#errors = (this.#errors + text).slice(-4000)));
  }

  async ask(action, more = {}) {
    if (this.#ended !== undefined) throw new Error(`${this.name}: its process has ended (${this.#ended}) ${this.#errors.trim()}`);
    const answer = this.answer(action);
    this.#child.send({ action, ...more }, () => undefined); // a channel that has just closed is told by 'close'
    return answer;
  }

  answer(what) {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const fail = (why) => done(() => reject(new Error(`${this.name}: ${why}`)));
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        fail(`no answer to '${what}' within ${TIMEOUT_MS / 60_000} minutes`);
      }, TIMEOUT_MS);
      const onMessage = ({ result, error }) => (error ? fail(error) : done(() => resolve(result)));
      const onExit = (code, signal) => fail(`its process ended (${signal ?? `exit status ${code}`}) at '${what}'\n${this.#errors.trim()}`);
      const done = (settle) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('close', onExit);
        settle();
      };
      child.on('message', onMessage).on('close', onExit);
    });
  }

  /** Ends the process and waits for that. */
  async stop() {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.send({ action: 'exit' }, () => undefined);
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
}
