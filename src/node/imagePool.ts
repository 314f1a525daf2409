/**
 * Decodes images beside training: a few worker threads that take one image each. Where the built worker file is not
 * there (running from source, or a bundle that left it out) the same function runs in process, as many at a time.
 *
 * Idle workers do not keep the process alive.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { DataError, UsageError } from '../errors';
import { ImageError } from '../data/dataset';
import { decodeAndPreprocess } from './decode';
import type { ImageRequest } from './decode';
import type { ImageAnswer } from './imageWorker';

interface Task {
  readonly request: ImageRequest;
  readonly resolve: (data: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

export interface DecodePoolOptions {
  /** Worker threads, 0 for none; default one a core, at most 4. */
  readonly workers?: number;
  /** The built worker file; default `imageWorker.js` beside this module. */
  readonly workerFile?: string;
}

export class DecodePool {
  readonly #limit: number;
  readonly #workerFile: string | undefined;
  readonly #queue: Task[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Task>();
  #inProcess = 0;
  #closed = false;

  constructor(options: DecodePoolOptions = {}) {
    const workers = options.workers ?? Math.min(4, availableParallelism());
    if (!Number.isInteger(workers) || workers < 0 || workers > 64) {
      throw new UsageError(`imageFolder: workers must be a whole number from 0 to 64, got ${workers}`);
    }
    this.#limit = Math.max(1, workers);
    this.#workerFile = workers === 0 ? undefined : options.workerFile ?? builtWorker();
  }

  /** Whether images are decoded in threads of their own. */
  get threaded(): boolean {
    return this.#workerFile !== undefined;
  }

  /** @throws ImageError when the image cannot be decoded; DataError when the pool was closed */
  run(request: ImageRequest): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new DataError(`image '${request.name}': its folder was closed`));
        return;
      }
      this.#queue.push({ request, resolve, reject });
      this.#advance();
    });
  }

  /** Stops the workers; what is still waiting is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const workers = [...this.#idle, ...this.#busy.keys()];
    const waiting = [...this.#queue, ...this.#busy.values()];
    this.#queue.length = 0;
    this.#idle.length = 0;
    this.#busy.clear();
    for (const { request, reject } of waiting) reject(new DataError(`image '${request.name}': its folder was closed`));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #advance(): void {
    while (this.#queue.length > 0 && this.#busy.size + this.#inProcess < this.#limit) {
      const task = this.#queue.shift();
      if (task === undefined) return;
      if (this.#workerFile === undefined) void this.#runHere(task);
      else this.#runInWorker(task, this.#idle.pop() ?? this.#spawn(this.#workerFile));
    }
  }

  async #runHere(task: Task): Promise<void> {
    this.#inProcess++;
    try {
      task.resolve(await decodeAndPreprocess(task.request));
    } catch (error) {
      task.reject(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#inProcess--;
      this.#advance();
    }
  }

  #runInWorker(task: Task, worker: Worker): void {
    this.#busy.set(worker, task);
    worker.ref();
    worker.postMessage(task.request);
  }

  #spawn(file: string): Worker {
    const worker = new Worker(file);
    worker.on('message', (answer: ImageAnswer) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      if (task === undefined) return;
      worker.unref();
      this.#idle.push(worker);
      if ('data' in answer) task.resolve(answer.data);
      else task.reject(new ImageError(task.request.name, answer.reason));
      this.#advance();
    });
    // A worker that dies (out of memory, say) costs the image it was at, not the run; the next one gets a new worker.
    const lost = (why: string, cause?: Error): void => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      task?.reject(new ImageError(task.request.name, `the decoding thread ended: ${why}`, { cause }));
      if (!this.#closed) this.#advance();
    };
    worker.on('error', (error) => lost(error.message.split('\n')[0], error));
    worker.on('exit', (code) => lost(`exit code ${code}`));
    return worker;
  }
}

/** The worker file of the build, which lies beside the module this one was bundled into. */
function builtWorker(): string | undefined {
  // Not written as `new URL(..., import.meta.url)`: bundlers would take the file for an asset and inline it.
  const here = import.meta.url;
  if (!here.startsWith('file:')) return undefined;
  const file = fileURLToPath(new URL('imageWorker.js', here));
  return existsSync(file) ? file : undefined;
}
