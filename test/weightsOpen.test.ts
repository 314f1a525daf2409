/** Opening weights: formats are told by content, wrong files by what they are, zip archives by every size in them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { WeightsError } from '../src/errors';
import { openFile } from '../src/node/fileSource';
import { blobSource, bytesSource } from '../src/weights/byteSource';
import { openWeights } from '../src/weights/open';
import { ZipArchive } from '../src/weights/zip';
import { fixture, pickled, zipOf } from './weightFiles';

const folder = mkdtempSync(join(tmpdir(), 'graft-open-'));
afterAll(() => rmSync(folder, { recursive: true }));
const text = (value: string): Uint8Array => Uint8Array.from(value, (char) => char.charCodeAt(0));

/** The one-line WeightsError this ends in. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(WeightsError);
  expect((error as WeightsError).message).not.toContain('\n');
  return (error as WeightsError).message;
}

describe('formats', () => {
  it.each([
    ['dtypes.safetensors', 'dtypes.safetensors', 'safetensors'],
    ['dtypes.safetensors', 'weights', 'safetensors'],
    ['dtypes.pth', 'model.pt', 'pth'],
    ['dtypes.pth', 'download', 'pth'],
    ['dtypes-legacy.pth', 'model.bin', 'pth-legacy'],
    ['protocol4-legacy.pth', 'model.pth.tar', 'pth-legacy'],
  ])('%s named %s is %s', async (file, name, format) => {
    expect((await openWeights(bytesSource(fixture(file), name))).format).toBe(format);
  });

  it('a Blob and a File are read too', async () => {
    const file = await openWeights(blobSource(new File([fixture('dtypes.pth') as Uint8Array<ArrayBuffer>], 'dropped.pth')));
    expect(file.name).toBe('dropped.pth');
    expect([...(await file.read('scalar')).data]).toEqual([3.25]);
    expect(blobSource(new Blob(['x'])).name).toBe('weights');
  });

  it.each([
    ['dtypes.pth', 'a.safetensors', 'is named .safetensors but is a PyTorch checkpoint. Rename it to .pth'],
    ['dtypes-legacy.pth', 'a.safetensors', 'is named .safetensors but is a PyTorch checkpoint'],
    ['dtypes.safetensors', 'a.pth', 'is named as a PyTorch checkpoint but is safetensors. Rename it to .safetensors'],
  ])('%s named %s: both are told', async (file, name, message) => {
    expect(await failure(openWeights(bytesSource(fixture(file), name)))).toContain(message);
  });

  it.each([
    ['an empty file', '', 'is empty (0 bytes)'],
    ['a web page', '\n<!DOCTYPE html><html>', 'is a web page'],
    ['an XML error', '<?xml version="1.0"?><Error><Code>AccessDenied</Code>', 'is an XML message from a server'],
    ['a git-lfs pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:1', "Run 'git lfs pull'"],
    ['an index of shards', '{"weight_map": {}}', 'is a JSON file'],
    ['HDF5', '\x89HDF\r\n\x1a\n', 'is an HDF5 file'],
    ['a NumPy array', '\x93NUMPY\x01\x00', 'is a NumPy array'],
    ['GGUF', 'GGUF\x03\0\0\0', 'is a GGUF file'],
    ['TensorFlow Lite', '\x1c\0\0\0TFL3', 'is a TensorFlow Lite model'],
    ['ONNX', '\x08\x07\x12\x07pytorch', 'is an ONNX model'],
    ['tar', `storages${'\0'.repeat(249)}ustar`, 'is a tar archive'],
    ['gzip', String.fromCharCode(...gzipSync('x')), 'is packed with gzip'],
    ['text', 'hello, world', 'is not a weights file: it begins with bytes 68 65 6c 6c 6f 2c 20 77'],
    ['a pickle of something else', '\x80\x04]\x94.', "is a Python pickle, but not one of PyTorch's"],
  ])('%s', async (_, content, message) => {
    expect(await failure(openWeights(bytesSource(text(content), 'resnet.pth')))).toContain(message);
  });
});

describe('zip archives', () => {
  const data = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
  const opened = (bytes: Uint8Array): Promise<ZipArchive> => ZipArchive.open(bytesSource(bytes, 'x.pth'));
  const entry = (archive: ZipArchive, name: string) => {
    const found = archive.entries.get(name);
    if (!found) throw new Error(name);
    return found;
  };

  it.each([false, true])('an entry is read whole and in part (deflated: %s)', async (deflate) => {
    const archive = await opened(zipOf({ 'ä/b': data, empty: new Uint8Array() }, { deflate }));
    expect(await archive.read(entry(archive, 'ä/b'))).toEqual(data);
    expect(await archive.read(entry(archive, 'ä/b'), 4321, 99)).toEqual(data.subarray(4321, 4420));
    expect((await archive.read(entry(archive, 'empty'))).length).toBe(0);
    expect(await failure(archive.read(entry(archive, 'ä/b'), 4999, 2))).toContain('has 5000 bytes where 5001 are needed');
  });

  it('a comment after the archive does not hide it', async () => {
    const bytes = Buffer.concat([zipOf({ a: data }), Buffer.from('a comment')]);
    bytes.writeUInt16LE(9, bytes.length - 11);
    expect((await opened(bytes)).entries.size).toBe(1);
  });

  it('zip64: the directory and the sizes in 64 bits', async () => {
    const plain = Buffer.from(zipOf({ a: data }));
    const at = plain.readUInt32LE(plain.length - 6);
    const central = Buffer.concat([plain.subarray(at, at + 47), Buffer.alloc(28)]);
    central.fill(0xff, 20, 28).fill(0xff, 42, 46);
    central.writeUInt16LE(28, 30);
    central.writeUInt16LE(1, 47).toString();
    central.writeUInt16LE(24, 49);
    central.writeBigUInt64LE(5000n, 51);
    central.writeBigUInt64LE(5000n, 59);
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50);
    record.writeBigUInt64LE(1n, 32);
    record.writeBigUInt64LE(BigInt(central.length), 40);
    record.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(BigInt(at + central.length), 8);
    const end = Buffer.from(plain.subarray(plain.length - 22)).fill(0xff, 8, 20);
    const archive = await opened(Buffer.concat([plain.subarray(0, at), central, record, locator, end]));
    expect(new Uint8Array(await archive.read(entry(archive, 'a')))).toEqual(data);
  });

  it.each([
    ['stored, with a size that is not its own', zipOf({ a: data }, { claim: 6000 }), 'claims 6000 bytes from 5000'],
    ['deflated, claiming a gigabyte', zipOf({ a: data }, { deflate: true, claim: 2 ** 30 }), 'claims 1073741824 bytes from'],
    ['encrypted', zipOf({ a: data }, { flags: 1 }), "zip entry 'a' is encrypted"],
    ['packed otherwise', zipOf({ a: data }, { method: 12 }), "zip entry 'a' is packed with zip method 12"],
    ['without an end', zipOf({ a: data }).subarray(0, -1), 'has no end record: the file is truncated'],
  ])('%s', async (_, bytes, message) => {
    expect(await failure(opened(bytes))).toContain(message);
  });

  it('a bomb: 300 MB of zeros in 300 kB, refused before it is unpacked', async () => {
    const packed = zipOf({ 'a/data.pkl': pickled('}.'), 'a/data/0': new Uint8Array(300 << 20) }, { deflate: true });
    expect(await failure(openWeights(bytesSource(packed, 'x.pth')))).toContain('claims 314572800 bytes from');
  });

  it('a pickle of 65 MB', async () => {
    expect(await failure(openWeights(bytesSource(zipOf({ 'a/data.pkl': new Uint8Array(65 << 20) }), 'x.pth')))).toContain('its pickle is 68157440 bytes (limit 67108864)');
  });

  it('a deflated entry that unpacks to less or breaks off', async () => {
    const less = await opened(zipOf({ a: data }, { deflate: true, claim: 5001 }));
    expect(await failure(less.read(entry(less, 'a')))).toContain('unpacks to 5000 bytes where 5001 are needed');
    const packed = zipOf({ a: data }, { deflate: true });
    packed.fill(0xff, 40, 80);
    const broken = await opened(packed);
    expect(await failure(broken.read(entry(broken, 'a')))).toContain('cannot be unpacked');
  });

  it.each([
    [{ 'weight.npy': data }, 'is a NumPy archive (.npz)'],
    [{ 'model.weights.h5': data }, 'is a Keras model'],
    [{ 'word/document.xml': data }, 'is a zip archive of 1 files without data.pkl'],
    [{ 'a/data.pkl': data, 'b/data.pkl': data }, 'is a zip with 2 files data.pkl'],
  ])('%o', async (entries, message) => {
    expect(await failure(openWeights(bytesSource(zipOf(entries as unknown as Record<string, Uint8Array>), 'x.pth')))).toContain(message);
  });
});

describe('files on disk', () => {
  it('is read by range, also past its middle', async () => {
    const path = join(folder, 'resnet18.pth');
    writeFileSync(path, Uint8Array.from({ length: 1000 }, (_, i) => i % 256));
    const source = await openFile(path);
    expect(source.size).toBe(1000);
    expect([...(await source.read(254, 4))]).toEqual([254, 255, 0, 1]);
    await source.close();
  });

  it('a missing one: the nearest name is suggested', async () => {
    writeFileSync(join(folder, 'resnet18.pth'), 'x');
    expect(await failure(openFile(join(folder, 'resnet81.pth')))).toMatch(/resnet81\.pth: there is no such file\. Did you mean 'resnet18\.pth'\?$/);
    expect(await failure(openFile(join(folder, 'no folder', 'x')))).toMatch(/there is no such file or folder\. Check the path\.$/);
  });

  it('an empty one, a folder, a file as a folder, a loop of links, a pipe', async () => {
    writeFileSync(join(folder, 'empty'), '');
    mkdirSync(join(folder, 'sub'));
    symlinkSync('loop', join(folder, 'loop'));
    expect(await failure(openFile(join(folder, 'empty')))).toContain('is empty (0 bytes)');
    expect(await failure(openFile(join(folder, 'sub')))).toContain('is a folder');
    expect(await failure(openFile(join(folder, 'empty', 'x')))).toContain('part of the path is a file');
    expect(await failure(openFile(join(folder, 'loop')))).toContain('symbolic links');
    if (spawnSync('mkfifo', [join(folder, 'pipe')]).status === 0) {
      expect(await failure(openFile(join(folder, 'pipe')))).toContain('is not an ordinary file');
    }
  });
});
