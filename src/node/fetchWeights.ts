/**
 * Downloads published weights into the user's cache: resumed after a break, checked against the hash in the file's
 * name, and put in place whole. Node only.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GraftError, WeightsError } from '../errors';
import { connect, rangeOf, reasonOf } from '../weights/connection';
import { publishedWeights } from '../weights/manifest';
import type { PublishedWeights } from '../weights/manifest';
import { cacheDir } from './cacheDir';
import { describeFileError } from './fileErrors';
import { makeFolder } from './writeFile';

export interface FetchProgress {
  readonly file: string;
  /** Bytes on disk so far, those of an earlier run included. */
  readonly received: number;
  /** Bytes in all, when the server says. */
  readonly total: number | undefined;
}

export interface FetchOptions {
  /** Folder of the files. Default: `weights` in the cache folder. */
  readonly cacheDir?: string;
  /** Where to download from instead of the published place: the file's name is appended. */
  readonly baseUrl?: string;
  readonly onProgress?: (progress: FetchProgress) => void;
  readonly signal?: AbortSignal;
  /** A server that sends nothing for so long is given up, in milliseconds. Default 60,000. */
  readonly stallMs?: number;
}

export interface FetchedWeights {
  /** The file on disk, its hash checked. */
  readonly path: string;
  readonly weights: PublishedWeights;
  /** Whether it was there already. */
  readonly cached: boolean;
}

/** Connections in one call; each goes on where the last one broke off. */
const ATTEMPTS = 3;

/** Files whose hash this process has checked, by path, size and time, so that each is read for it once. */
const verified = new Set<string>();

/**
 * Fetches published weights (see `publishedWeights` for their names) unless they are in the cache.
 * @throws UsageError for an unknown name; WeightsError when the server cannot be reached, answers wrongly or sends a
 * file with another hash (saying the url and where to put the file by hand); GraftError when the disk refuses.
 */
export async function fetchWeights(name: string, options: FetchOptions = {}): Promise<FetchedWeights> {
  const weights = publishedWeights(name);
  const folder = options.cacheDir ?? join(cacheDir(), 'weights');
  const path = join(folder, weights.file);
  if (await exists(path)) {
    const hash = await checkHash(path, weights);
    if (hash === undefined) return { path, weights, cached: true };
    throw new WeightsError(`${path}: its SHA-256 begins ${hash.slice(0, 8)}, not ${weights.sha256Prefix}: the file is damaged or another. Delete it and fetch it again.`);
  }
  const url = options.baseUrl === undefined ? weights.url : `${options.baseUrl.replace(/\/+$/, '')}/${weights.file}`;
  await makeFolder(folder);
  const part = `${path}.part`;
  const job: Job = { url, part, weights, options, byHand: `Download ${url} by other means and put it at ${path}.` };
  await download(job);
  const hash = await checkHash(part, weights);
  if (hash !== undefined) {
    await rm(part, { force: true });
    throw new WeightsError(`${url}: the SHA-256 of what was received begins ${hash.slice(0, 8)}, not ${weights.sha256Prefix}; it was thrown away. Try again, or ask whoever runs the network. ${job.byHand}`);
  }
  await onDisk(path, () => rename(part, path));
  return { path, weights, cached: false };
}

interface Job {
  readonly url: string;
  readonly part: string;
  readonly weights: PublishedWeights;
  readonly options: FetchOptions;
  readonly byHand: string;
}

async function download(job: Job): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await request(job);
      return;
    } catch (error) {
      if (error instanceof GraftError) throw error;
      job.options.signal?.throwIfAborted();
      if (attempt < ATTEMPTS) continue;
      const kept = (await sizeOnDisk(job.part)) > 0 ? ' What was received is kept and the next run goes on from there.' : '';
      throw new WeightsError(`${job.weights.file}: cannot download ${job.url} (${reasonOf(error)}).${kept} ${job.byHand}`, { cause: error });
    }
  }
}

/** One connection: asks for what is missing, and appends it to the part file. */
async function request({ url, part, weights, options, byHand }: Job): Promise<void> {
  const have = await sizeOnDisk(part);
  const headers = { 'accept-encoding': 'identity', ...(have > 0 ? { range: `bytes=${have}-` } : {}) };
  await connect(url, { signal: options.signal, stallMs: options.stallMs, headers }, async (response, chunks) => {
    if (response.status === 416 && have > 0) {
      // Nothing is missing, or what is here is no part of the file: the hash tells which.
      if (response.headers.get('content-range') === `bytes */${have}`) return;
      await rm(part, { force: true });
      throw new Error('the part received before did not fit the file');
    }
    if (!response.ok || !response.body) {
      // A server in trouble may recover; one that says no will say it again.
      if (response.status >= 500) throw new Error(`the server answers ${response.status}`);
      throw new WeightsError(`${weights.file}: ${url} answers ${response.status} ${response.statusText}. ${byHand}`);
    }
    const range = rangeOf(response);
    const start = response.status === 206 && range?.start === have ? have : 0;
    if (response.status === 206 && start !== have) {
      await rm(part, { force: true });
      throw new Error('the server sent another part of the file than was asked for');
    }
    const total = start > 0 ? range?.total : Number(response.headers.get('content-length')) || undefined;
    const received = await append(part, chunks, start, (bytes) => options.onProgress?.({ file: weights.file, received: bytes, total }));
    if (total !== undefined && received !== total) throw new Error(`${received} of ${total} bytes received`);
  });
}

/** Writes the chunks to the part file from byte `start`; returns the size reached. */
async function append(part: string, chunks: AsyncIterable<Uint8Array>, start: number, onReceived: (bytes: number) => void): Promise<number> {
  const handle = await onDisk(part, () => open(part, start > 0 ? 'r+' : 'w'));
  let received = start;
  try {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.byteLength; ) {
        const { bytesWritten } = await onDisk(part, () => handle.write(chunk, done, chunk.byteLength - done, received + done));
        done += bytesWritten;
      }
      received += chunk.byteLength;
      onReceived(received);
    }
    await onDisk(part, () => handle.sync());
  } finally {
    await handle.close();
  }
  return received;
}

/** Undefined when the file's hash begins as published, else the hash it has. */
async function checkHash(path: string, weights: PublishedWeights): Promise<string | undefined> {
  const { size, mtimeMs } = await stat(path);
  const key = `${path}\n${size}\n${mtimeMs}`;
  if (verified.has(key)) return undefined;
  const hash = createHash('sha256');
  await onDisk(path, async () => {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  }, 'read');
  const digest = hash.digest('hex');
  if (!digest.startsWith(weights.sha256Prefix)) return digest;
  verified.add(key);
  return undefined;
}

async function onDisk<T>(path: string, action: () => Promise<T>, verb: 'read' | 'write' = 'write'): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new GraftError(`cannot ${verb} ${path}: ${describeFileError(error)}.`, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function sizeOnDisk(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
