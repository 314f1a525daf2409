/** Fetching weights from a local server that misbehaves in every way, and writing files to disks that refuse. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UsageError, WeightsError } from '../src/errors';
import { cacheDir } from '../src/node/cacheDir';
import { describeFileError } from '../src/node/fileErrors';
import { makeFolder, writeFileAtomic } from '../src/node/writeFile';
import { BODY, HASH, breakAfter, expectBody, failure, rangeServer, serveRange } from './support/rangeServer';

const NAME = 'resnet18-f37072fd.pth';
const PREFIX = vi.hoisted(() => ({ value: '' }));

// The real file is not at hand, so the entry's hash is that of this test's own bytes; all else is the published entry.
vi.mock('../src/weights/manifest', async (original) => {
  const real = await original<typeof import('../src/weights/manifest')>();
  return { ...real, publishedWeights: (name: string) => ({ ...real.publishedWeights(name), sha256Prefix: PREFIX.value }) };
});
const { fetchWeights } = await import('../src/node/fetchWeights');

const site = rangeServer();
let folder: string;
let baseUrl: string;

const fetchIt = (options: Parameters<typeof fetchWeights>[1] = {}) => fetchWeights('resnet18', { cacheDir: folder, baseUrl, ...options });
const part = (): string => join(folder, `${NAME}.part`);

beforeEach(() => {
  PREFIX.value = HASH.slice(0, 8);
  folder = mkdtempSync(join(tmpdir(), 'graft-fetch-'));
  baseUrl = `${site.origin}/models/`;
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('fetchWeights', () => {
  it('downloads with progress, checks the hash, and leaves only the file', async () => {
    const progress: number[] = [];
    const { path, cached, weights } = await fetchIt({ onProgress: ({ received, total }) => progress.push(received, total ?? -1) });
    expect({ path, cached, arch: weights.arch }).toEqual({ path: join(folder, NAME), cached: false, arch: 'resnet18' });
    expectBody(readFileSync(path));
    expect(progress.slice(-2)).toEqual([BODY.length, BODY.length]);
    expect(readdirSync(folder)).toEqual([NAME]);
  });

  it('takes what is in the cache, without a server', async () => {
    await fetchIt();
    expect((await fetchIt()).cached).toBe(true);
    expect(site.requests.length).toBe(1);
  });

  it('makes the cache folder, also below missing ones', async () => {
    expect((await fetchIt({ cacheDir: join(folder, 'a', 'b') })).path).toBe(join(folder, 'a', 'b', NAME));
  });

  it('resumes where an earlier run ended', async () => {
    writeFileSync(part(), BODY.subarray(0, 100_000));
    const progress: number[] = [];
    const { path } = await fetchIt({ onProgress: ({ received, total }) => progress.push(received, total ?? -1) });
    expect(site.requests).toEqual(['bytes=100000-']);
    expectBody(readFileSync(path));
    expect(progress[0]).toBeGreaterThan(100_000);
    expect(progress[1]).toBe(BODY.length);
  });

  it('starts again when the server ignores the range', async () => {
    writeFileSync(part(), 'x'.repeat(400_000));
    site.answer = (_, response) => void response.writeHead(200).end(BODY);
    expectBody(readFileSync((await fetchIt()).path));
  });

  it('starts again when the server sends another range', async () => {
    writeFileSync(part(), BODY.subarray(0, 1000));
    site.answer = (request, response) => {
      if (!request.headers.range) return serveRange(request, response);
      response.writeHead(206, { 'content-range': `bytes 5-9/${BODY.length}` }).end(BODY.subarray(5, 10));
    };
    expectBody(readFileSync((await fetchIt()).path));
  });

  it('a part that is complete needs no bytes, one too long is thrown away', async () => {
    writeFileSync(part(), BODY);
    expect((await fetchIt()).cached).toBe(false);
    rmSync(join(folder, NAME));
    writeFileSync(part(), Buffer.concat([BODY, BODY]));
    expectBody(readFileSync((await fetchIt()).path));
  });

  it('goes on after a broken connection, in the same call', async () => {
    let times = 0;
    site.answer = (request, response) => {
      if (times++ > 0) serveRange(request, response);
      else breakAfter(50_000, response);
    };
    expectBody(readFileSync((await fetchIt()).path));
    expect(site.requests).toEqual([undefined, 'bytes=50000-']);
  });

  it('keeps what it has when the connection breaks again and again', async () => {
    site.answer = (request, response) => breakAfter(1000, response, Number(/\d+/.exec(request.headers.range ?? '0')));
    expect(await failure(fetchIt())).toMatch(/cannot download .*What was received is kept and the next run goes on from there\. Download .* by other means and put it at .*resnet18-f37072fd\.pth\.$/);
    expect(statSync(part()).size).toBe(3000);
    expect(existsSync(join(folder, NAME))).toBe(false);
  });

  it('a wrong hash: nothing is kept', async () => {
    PREFIX.value = 'f37072fd';
    const message = await failure(fetchIt());
    expect(message).toMatch(/the SHA-256 of what was received begins [0-9a-f]{8}, not f37072fd; it was thrown away/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a cached file with a wrong hash is not used, and not deleted', async () => {
    writeFileSync(join(folder, NAME), 'something else');
    expect(await failure(fetchIt())).toContain('the file is damaged or another. Delete it and fetch it again.');
    expect(existsSync(join(folder, NAME))).toBe(true);
    expect(site.requests).toEqual([]);
  });

  it('a refusal is told at once, a failing server after three tries', async () => {
    site.answer = (_, response) => void response.writeHead(404).end('<html>');
    expect(await failure(fetchIt())).toContain('answers 404 Not Found. Download http');
    expect(site.requests.length).toBe(1);
    site.answer = (_, response) => void response.writeHead(503).end();
    expect(await failure(fetchIt())).toContain('the server answers 503');
    expect(site.requests.length).toBe(4);
  });

  it('no server: the url and the place for the file are told', async () => {
    const message = await failure(fetchIt({ baseUrl: 'http://127.0.0.1:1' }));
    expect(message).toContain(`Download http://127.0.0.1:1/${NAME} by other means and put it at ${join(folder, NAME)}.`);
    expect(await failure(fetchIt({ baseUrl: 'http://graft.invalid' }))).toContain('no network, or the server\'s name is unknown');
  });

  it('a server that falls silent is given up', async () => {
    site.answer = (_, response) => void response.writeHead(200, { 'content-length': BODY.length }).write('abc');
    expect(await failure(fetchIt({ stallMs: 200 }))).toContain('nothing received for 0.2 s');
  });

  it('stops when asked to, and keeps the part', async () => {
    site.answer = (_, response) => void response.writeHead(200, { 'content-length': BODY.length }).write(BODY.subarray(0, 1000));
    const stop = new AbortController();
    await expect(fetchIt({ signal: stop.signal, onProgress: () => stop.abort() })).rejects.toThrow(/abort/i);
    expect(statSync(part()).size).toBe(1000);
  });

  it('an unknown name is a UsageError before any connection', async () => {
    await expect(fetchWeights('resnet19', { cacheDir: folder, baseUrl })).rejects.toBeInstanceOf(UsageError);
    expect(site.requests).toEqual([]);
  });

  it('a full disk, and a cache folder that is a file', async () => {
    if (existsSync('/dev/full')) {
      symlinkSync('/dev/full', part());
      expect(await failure(fetchIt())).toContain('the disk is full');
    }
    writeFileSync(join(folder, 'file'), '');
    expect(await failure(fetchIt({ cacheDir: join(folder, 'file') }))).toContain('cannot make folder');
  });
});

describe('writeFileAtomic', () => {
  it('writes bytes and text, replaces, and leaves nothing beside', async () => {
    const path = join(folder, 'naïve 名.json');
    await writeFileAtomic(path, Uint8Array.of(1, 2));
    expect([...readFileSync(path)]).toEqual([1, 2]);
    await writeFileAtomic(path, 'ü');
    expect(readFileSync(path, 'utf8')).toBe('ü');
    expect(readdirSync(folder)).toEqual(['naïve 名.json']);
  });

  it('makes folders below missing ones, and minds none that is there', async () => {
    await makeFolder(join(folder, 'a', 'b', 'c'));
    await makeFolder(join(folder, 'a', 'b', 'c'));
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['c']);
    writeFileSync(join(folder, 'file'), '');
    expect(await failure(makeFolder(join(folder, 'file', 'x')))).toContain('part of the path is a file');
  });

  it('a failure leaves the old file and no temporary one', async () => {
    mkdirSync(join(folder, 'taken', 'x'), { recursive: true });
    expect(await failure(writeFileAtomic(join(folder, 'taken'), 'x'))).toContain('cannot write');
    expect(readdirSync(folder)).toEqual(['taken']);
    expect(await failure(writeFileAtomic(join(folder, 'no', 'x'), 'x'))).toContain('Make it first');
    expect(await failure(writeFileAtomic(join(folder, 'a'.repeat(300)), 'x'))).toContain('the name is too long');
  });

  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')('a folder without permission', async () => {
    chmodSync(folder, 0o500);
    expect(await failure(writeFileAtomic(join(folder, 'x'), 'x'))).toContain('permission is denied');
    chmodSync(folder, 0o700);
  });

  it.skipIf(!existsSync('/proc/sys/kernel/hostname'))('a place that takes no files', async () => {
    expect(await failure(writeFileAtomic('/proc/graft.json', 'x'))).toMatch(/^cannot write \/proc\/graft\.json: /);
    expect(await failure(makeFolder('/proc/graft/x'))).toMatch(/^cannot make folder /);
  });
});

describe('describeFileError', () => {
  it.each([
    ['ENOSPC', 'the disk is full. Free some space or choose another folder'], ['EROFS', 'the disk is read-only. Choose another folder'],
    ['EACCES', 'permission is denied. Check who owns the file and its folder'], ['EWHATEVER', 'first line'],
  ])('%s', (code, text) => {
    expect(describeFileError(Object.assign(new Error('first line\nsecond'), { code }))).toBe(text);
  });
});

describe('cacheDir', () => {
  it.each([
    [{ GRAFT_CACHE: '/x' }, 'linux', '/x'],
    [{ XDG_CACHE_HOME: '/xdg' }, 'linux', '/xdg/graft'],
    [{}, 'linux', join(homedir(), '.cache/graft')],
    [{}, 'darwin', join(homedir(), 'Library/Caches/graft')],
    [{ LOCALAPPDATA: '/local' }, 'win32', '/local/graft/Cache'],
  ] as const)('%o on %s', (environment, platform, expected) => {
    expect(cacheDir(environment, platform)).toBe(expected);
  });
});

it('errors of the download are WeightsErrors', async () => {
  site.answer = (_, response) => void response.writeHead(403).end();
  await expect(fetchIt()).rejects.toBeInstanceOf(WeightsError);
});
