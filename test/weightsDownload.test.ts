/** Downloads into memory, from a local server that misbehaves in every way. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../src/errors';
import { Download, download, fileName, sha256, type DownloadProgress } from '../src/weights/download';
import { BODY, HASH, breakAfter, expectBody, failure as failureOf, rangeServer, serveRange } from './support/rangeServer';

const site = rangeServer();
const url = (): string => `${site.origin}/a%20file.safetensors?v=1`;
const failure = (promise: Promise<unknown>): Promise<string> => failureOf(promise, WeightsError);

describe('download', () => {
  it('brings the bytes, with progress, size and hash checked', async () => {
    const progress: DownloadProgress[] = [];
    const bytes = await download(url(), { onProgress: (event) => progress.push(event), sha256Prefix: HASH.slice(0, 8).toUpperCase(), size: BODY.length });
    expectBody(bytes);
    expect(progress[0].totalBytes).toBe(BODY.length);
    expect(progress.at(-1)).toEqual({ receivedBytes: BODY.length, totalBytes: BODY.length });
    expect(await sha256(bytes)).toBe(HASH);
  });

  it('does without being told the size, and with compressed answers', async () => {
    site.answer = (_, response) => void response.writeHead(200).end(BODY);
    expectBody(await download(url()));
    site.answer = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': gzipSync(BODY).length }).end(gzipSync(BODY));
    const progress: DownloadProgress[] = [];
    expectBody(await download(url(), { onProgress: (event) => progress.push(event), sha256Prefix: HASH }));
    expect(progress.at(-1)).toEqual({ receivedBytes: BODY.length, totalBytes: null });
  });

  it('goes on after a broken connection', async () => {
    site.answer = (request, response) => (site.requests.length === 1 ? breakAfter(50_000, response) : serveRange(request, response));
    expectBody(await download(url(), { sha256Prefix: HASH }));
    expect(site.requests).toEqual([undefined, 'bytes=50000-']);
  });

  it('goes on where the server knows no ranges, and refuses a file that changed meanwhile', async () => {
    site.answer = (_, response) => (site.requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(200, { 'content-length': BODY.length }).end(BODY));
    expectBody(await download(url(), { sha256Prefix: HASH }));
    site.requests = [];
    site.answer = (_, response) => (site.requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(200, { 'content-length': 10 }).end('x'.repeat(10)));
    expect(await failure(download(url()))).toMatch(/changed on the server while it was downloaded; try again$/);
    site.requests = [];
    site.answer = (_, response) => (site.requests.length === 1 ? breakAfter(50_000, response) : void response.writeHead(206, { 'content-range': 'bytes 5-9/300000' }).end('12345'));
    expect(await failure(download(url()))).toMatch(/another part of the file than was asked for/);
  });

  it('gives up when the connection breaks again and again', async () => {
    site.answer = (request, response) => breakAfter(1000, response, Number(/\d+/.exec(request.headers.range ?? '0')));
    expect(await failure(download(url()))).toMatch(/broke off after 3000 of 300000 bytes \(.*\); check the connection and try again$/);
  });

  it('gives up a server that falls silent', async () => {
    site.answer = (_, response) => void response.writeHead(200, { 'content-length': BODY.length }).write(BODY.subarray(0, 10));
    expect(await failure(download(url(), { stallMs: 100 }))).toMatch(/broke off after 10 of 300000 bytes \(nothing received for 0\.1 s\)/);
  });

  it('refuses another size or hash', async () => {
    expect(await failure(download(url(), { size: 10 }))).toMatch(/has 300000 bytes, not 10: it is another file/);
    expect(await failure(download(url(), { sha256Prefix: 'deadbeef' }))).toContain(`the SHA-256 of what was received begins ${HASH.slice(0, 8)}, not deadbeef`);
  });

  it('says what the server answered, or that there is none', async () => {
    site.answer = (_, response) => void response.writeHead(404).end();
    expect(await failure(download(url()))).toMatch(/could not be fetched: the server answered 404 Not Found; check the address$/);
    site.answer = (_, response) => void response.writeHead(503).end();
    expect(await failure(download(url()))).toMatch(/503 Service Unavailable; try again later$/);
    expect(await failure(download('http://127.0.0.1:1/x.pth'))).toMatch(/x\.pth could not be fetched: /);
    expect(site.requests.length).toBe(2);
  });

  it('can be broken off', async () => {
    const controller = new AbortController();
    const stopped = download(url(), { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) });
    await expect(stopped).rejects.toThrow('enough');
  });
});

describe('Download', () => {
  it('is read by range while the rest arrives', async () => {
    let finish = (): void => undefined;
    site.answer = (_, response) => {
      response.writeHead(200, { 'content-length': BODY.length });
      response.write(BODY.subarray(0, 1000));
      finish = () => response.end(BODY.subarray(1000));
    };
    const loading = new Download(url());
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
    site.answer = (_, response) => breakAfter(1000, response);
    const loading = new Download(url(), { stallMs: 1000 });
    const source = await loading.source('it');
    await expect(source.read(0, BODY.length)).rejects.toThrow(WeightsError);
    site.answer = (_, response) => void response.writeHead(404).end();
    await expect(new Download(url()).source()).rejects.toThrow('404');
  });
});

describe('fileName', () => {
  it('is the last part of an address', () => {
    expect(['https://a/b/c%20d.pth?x#y', 'model.json', 'https://a/%E0%A4%A/'].map(fileName)).toEqual(['c d.pth', 'model.json', 'https://a/%E0%A4%A/']);
  });
});
