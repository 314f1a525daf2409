/**
 * A file on its way into memory: progress, going on after a broken connection, size and hash checked. Its bytes can be
 * read by range while the rest still arrives, so that a header is understood long before the last tensor is there.
 * fetch only, so it runs in a page, in a worker and in Node.
 */
import { WeightsError } from '../errors';
import type { ByteSource } from './byteSource';
import { connect, rangeOf, reasonOf, whyUnreachable } from './connection';

export interface DownloadProgress {
  readonly receivedBytes: number;
  /** Null where the server does not say. */
  readonly totalBytes: number | null;
}

export interface DownloadOptions {
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /**
   * First hex digits of the file's SHA-256, checked when all is there. The digest is WebCrypto's, which takes only whole
   * buffers: fine up to some hundred megabytes, which lie in memory here anyway.
   */
  readonly sha256Prefix?: string;
  /** Bytes the file must have. */
  readonly size?: number;
  /** A server that sends nothing for so long is given up, in milliseconds. Default 60,000. */
  readonly stallMs?: number;
}

/** Connections for one file; each goes on where the last one broke off. */
const ATTEMPTS = 3;
const RETRY_MS = 500;

/**
 * The bytes of a file.
 * @throws WeightsError when it cannot be reached, breaks off, or is not of the size or hash it should have; the signal's
 * reason when it is aborted.
 */
export async function download(url: string, options: DownloadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  return new Download(url, options).whole;
}

interface Waiting {
  readonly end: number;
  readonly resolve: () => void;
}

export class Download {
  readonly url: string;
  /** All bytes, checked. */
  readonly whole: Promise<Uint8Array<ArrayBuffer>>;
  readonly #options: DownloadOptions;
  /** Resolves when the server answered with the file. */
  readonly #answered: Promise<void>;
  #onAnswer: () => void = () => undefined;
  #bytes = new Uint8Array(0);
  #received = 0;
  /** What the server says; undefined where it does not, or speaks of compressed bytes. */
  #total: number | undefined;
  #waiting: Waiting[] = [];

  /** Starts at once. */
  constructor(url: string, options: DownloadOptions = {}) {
    this.url = url;
    this.#options = options;
    const answer = new Promise<void>((resolve) => (this.#onAnswer = resolve));
    this.whole = this.#run();
    this.#answered = Promise.race([answer, this.whole.then(() => undefined)]);
    for (const promise of [this.whole, this.#answered]) promise.catch(() => undefined); // whoever waits is told
  }

  /**
   * The bytes as a source, as soon as their number is known: from the answer where the server tells it, else at the end.
   * A read waits until its range is there. What is read is not checked before `whole` resolves.
   */
  async source(name = fileName(this.url)): Promise<ByteSource> {
    await this.#answered;
    const size = this.#total ?? (await this.whole).byteLength;
    return { name, size, read: (offset, length) => this.#read(offset, length) };
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const end = offset + length;
    if (end > this.#received) await Promise.race([this.whole, new Promise<void>((resolve) => this.#waiting.push({ end, resolve }))]);
    return this.#bytes.subarray(offset, Math.min(end, this.#received));
  }

  async #run(): Promise<Uint8Array<ArrayBuffer>> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#connect();
        break;
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (error instanceof WeightsError) throw error;
        const began = this.#received > 0;
        if (!began) throw new WeightsError(`${this.url} could not be fetched: ${await whyUnreachable(this.url, error)}`, { cause: error });
        if (attempt === ATTEMPTS) throw new WeightsError(`${this.url} broke off after ${this.#progress()} (${reasonOf(error)}); check the connection and try again`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt));
        this.#options.signal?.throwIfAborted();
      }
    }
    const bytes = this.#received === this.#bytes.byteLength ? this.#bytes : this.#bytes.slice(0, this.#received);
    await this.#check(bytes);
    return bytes;
  }

  async #connect(): Promise<void> {
    const have = this.#received;
    const { signal, stallMs, onProgress } = this.#options;
    await connect(this.url, { signal, stallMs, headers: have > 0 ? { range: `bytes=${have}-` } : {} }, async (response, chunks) => {
      if (!response.ok) throw refusal(this.url, response);
      const skip = this.#begin(response);
      onProgress?.({ receivedBytes: this.#received, totalBytes: this.#total ?? null });
      let at = have - skip;
      for await (const chunk of chunks) {
        const fresh = chunk.subarray(Math.max(0, this.#received - at));
        at += chunk.byteLength;
        if (fresh.byteLength > 0) this.#append(fresh);
        onProgress?.({ receivedBytes: this.#received, totalBytes: this.#total ?? null });
      }
      if (this.#total !== undefined && this.#received < this.#total) throw new Error('the server ended the connection');
    });
  }

  /** Reads the answer's head. Returns how many of its bytes are here already. */
  #begin(response: Response): number {
    const have = this.#received;
    const length = Number(response.headers.get('content-length')) || undefined;
    const encoded = !['', 'identity'].includes(response.headers.get('content-encoding') ?? '');
    if (response.status === 206) {
      const range = rangeOf(response); // other sites' servers seldom show it
      const fits = range ? range.start === have : length === undefined || this.#total === undefined || length === this.#total - have;
      if (!fits) throw new WeightsError(`${this.url}: the server sent another part of the file than was asked for; try again`);
      return 0;
    }
    const total = encoded ? undefined : length;
    if (have > 0 && total !== this.#total) throw new WeightsError(`${this.url} changed on the server while it was downloaded; try again`);
    const { size } = this.#options;
    if (size !== undefined && total !== undefined && total !== size) throw this.#wrongSize(total, size);
    this.#total = total;
    if (have === 0 && total !== undefined) this.#bytes = this.#room(total);
    this.#onAnswer();
    return have;
  }

  #append(chunk: Uint8Array): void {
    const end = this.#received + chunk.byteLength;
    if (end > this.#bytes.byteLength) {
      // A server that compresses and does not say so announces too little.
      this.#total = undefined;
      const more = this.#room(Math.max(end, 2 * this.#bytes.byteLength, 1 << 20));
      more.set(this.#bytes.subarray(0, this.#received));
      this.#bytes = more;
    }
    this.#bytes.set(chunk, this.#received);
    this.#received = end;
    const ready = this.#waiting.filter((each) => each.end <= end);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((each) => each.end > end);
    for (const { resolve } of ready) resolve();
  }

  #room(bytes: number): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(bytes);
    } catch (cause) {
      throw new WeightsError(`${this.url}: ${bytes} bytes do not fit into memory; use a smaller model, or close other tabs`, { cause });
    }
  }

  async #check(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { size, sha256Prefix } = this.#options;
    if (size !== undefined && bytes.byteLength !== size) throw this.#wrongSize(bytes.byteLength, size);
    if (sha256Prefix === undefined) return;
    const hash = await sha256(bytes);
    if (hash.startsWith(sha256Prefix.toLowerCase())) return;
    throw new WeightsError(`${this.url}: the SHA-256 of what was received begins ${hash.slice(0, Math.max(8, sha256Prefix.length))}, not ${sha256Prefix}: it is damaged or another file, and was thrown away; try again`);
  }

  #wrongSize(bytes: number, wanted: number): WeightsError {
    return new WeightsError(`${this.url} has ${bytes} bytes, not ${wanted}: it is another file; check the address`);
  }

  #progress(): string {
    return this.#total === undefined ? `${this.#received} bytes` : `${this.#received} of ${this.#total} bytes`;
  }
}

/** SHA-256 in hex. @throws WeightsError on a page that is neither https nor localhost, where browsers have no WebCrypto. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) throw new WeightsError('a hash can only be checked on a page that came over https or from localhost; open it so');
  return Array.from(new Uint8Array(await subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The last part of an address. */
export function fileName(url: string): string {
  const name = url.replace(/[?#].*$/, '').split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name) || url;
  } catch {
    return name;
  }
}

function refusal(url: string, { status, statusText }: Response): Error {
  const answered = `the server answered ${[status, statusText].filter(Boolean).join(' ')}`;
  return new WeightsError(`${url} could not be fetched: ${answered}; ${status >= 500 ? 'try again later' : 'check the address'}`);
}
