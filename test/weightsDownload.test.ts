/** Downloads into memory, from a local server that misbehaves in every way. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WeightsError } from '../src/errors';
import { Download, download, fileName, sha256, type DownloadProgress } from '../src/weights/download';

const BODY = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 253);
const HASH = createHash('sha256').update(BODY).digest('hex');

let server: Server;
let url: string;
let requests: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

/** A server that knows ranges. */
function serve({ headers }: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  const range = from > 0 ? { 'content-range': `bytes ${from}-${BODY.length - 1}/${BODY.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': BODY.length - from, ...range }).end(BODY.subarray(from));
}

/** Sends the first bytes and breaks off. */
function breakAfter(bytes: number, response: ServerResponse, from = 0): void {
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': BODY.length - from, ...(from > 0 && { 'content-range': `bytes ${from}-${BODY.length - 1}/${BODY.length}` }) });
  response.write(BODY.subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 50));
}

/** Much faster than `toEqual`. */
function expectBody(bytes: Uint8Array): void {
  expect(Buffer.compare(bytes, BODY)).toBe(0);
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(WeightsError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

beforeEach(async () => {
  requests = [];
  answer = serve;
  server = createServer((request, response) => {
    requests.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a%20file.safetensors?v=1`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('download', () => {
  it('brings the bytes, with progress, size and hash checked', async () => {
    const progress: DownloadProgress[] = [];
    const bytes = await download(url, { onProgress: (event) => progress.push(event), sha256Prefix: HASH.slice(0, 8).toUpperCase(), size: BODY.length });
    expectBody(bytes);
    expect(progress[0].totalBytes).toBe(BODY.length);
    expect(progress.at(-1)).toEqual({ receivedBytes: BODY.length, totalBytes: BODY.length });
    expect(await sha256(bytes)).toBe(HASH);
  });

  it('does without being told the size, and with compressed answers', async () => {
    answer = (_, response) => void response.writeHead(200).end(BODY);
    expectBody(await download(url));
    answer = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': gzipSync(BODY).length }).end(gzipSync(BODY));
    const progress: DownloadProgress[] = [];
    expectBody(await download(url, { onProgress: (event) => progress.push(event), sha256Prefix: HASH }));
    expect(progress.at(-1)).toEqual({ receivedBytes: BODY.length, totalBytes: null });
  });

  it('goes on after a broken connection', async () => {
    answer = (request, response) => (requests.length === 1 ? breakAfter(50_000, response) : serve(request, response));
    expectBody(await download(url, { sha256Prefix: HASH }));
    expect(requests).toEqual([undefined, 'bytes=50000-']);
  });

  it('goes on where the server knows no ranges, and refuses a file that changed meanwhile', async () => {
    answer = (_, response) => (requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(200, { 'content-length': BODY.length }).end(BODY));
    expectBody(await download(url, { sha256Prefix: HASH }));
    requests = [];
    answer = (_, response) => (requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(200, { 'content-length': 10 }).end('x'.repeat(10)));
    expect(await failure(download(url))).toMatch(/changed on the server while it was downloaded; try again$/);
    requests = [];
    answer = (_, response) => (requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(206, { 'content-range': 'bytes 5-9/300000' }).end('12345'));
    expect(await failure(download(url))).toMatch(/another part of the file than was asked for/);
  });

  it('gives up when the connection breaks again and again', async () => {
    answer = (request, response) => breakAfter(1000, response, Number(/\d+/.exec(request.headers.range ?? '0')));
    expect(await failure(download(url))).toMatch(/broke off after 3000 of 300000 bytes \(.*\); check the connection and try again$/);
  });

  it('gives up a server that falls silent', async () => {
    answer = (_, response) => void response.writeHead(200, { 'content-length': BODY.length }).write(BODY.subarray(0, 10));
    expect(await failure(download(url, { stallMs: 100 }))).toMatch(/broke off after 10 of 300000 bytes \(nothing received for 0\.1 s\)/);
  });

  it('refuses another size or hash', async () => {
    expect(await failure(download(url, { size: 10 }))).toMatch(/has 300000 bytes, not 10: it is another file/);
    expect(await failure(download(url, { sha256Prefix: 'deadbeef' }))).toContain(`the SHA-256 of what was received begins ${HASH.slice(0, 8)}, not deadbeef`);
  });

  it('says what the server answered, or that there is none', async () => {
    answer = (_, response) => void response.writeHead(404).end();
    expect(await failure(download(url))).toMatch(/could not be fetched: the server answered 404 Not Found; check the address$/);
    answer = (_, response) => void response.writeHead(503).end();
    expect(await failure(download(url))).toMatch(/503 Service Unavailable; try again later$/);
    expect(await failure(download('http://127.0.0.1:1/x.pth'))).toMatch(/x\.pth could not be fetched: /);
    expect(requests.length).toBe(2);
  });

  it('can be broken off', async () => {
    const controller = new AbortController();
    const stopped = download(url, { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) });
    await expect(stopped).rejects.toThrow('enough');
  });
});

describe('Download', () => {
  it('is read by range while the rest arrives', async () => {
    let finish = (): void => undefined;
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': BODY.length });
      response.write(BODY.subarray(0, 1000));
      finish = () => response.end(BODY.subarray(1000));
    };
    const loading = new Download(url);
    const source = await loading.source();
    expect([source.name, source.size]).toEqual(['a file.safetensors', BODY.length]);
    expect(await source.read(10, 90)).toEqual(BODY.subarray(10, 100));
    const later = source.read(999, 5);
    expect(await Promise.race([later, new Promise((resolve) => setTimeout(resolve, 50, 'not yet'))])).toBe('not yet');
    finish();
    expect(await later).toEqual(BODY.subarray(999, 1004));
    expectBody(await loading.whole);
  });

  it('fails its readers when it fails', async () => {
    answer = (_, response) => breakAfter(1000, response);
    const loading = new Download(url, { stallMs: 1000 });
    const source = await loading.source('it');
    await expect(source.read(0, BODY.length)).rejects.toThrow(WeightsError);
    answer = (_, response) => void response.writeHead(404).end();
    await expect(new Download(url).source()).rejects.toThrow('404');
  });
});

describe('fileName', () => {
  it('is the last part of an address', () => {
    expect(['https://a/b/c%20d.pth?x#y', 'model.json', 'https://a/%E0%A4%A/'].map(fileName)).toEqual(['c d.pth', 'model.json', 'https://a/%E0%A4%A/']);
  });
});
