/** Helpers of the weight-file tests: the fixtures PyTorch wrote, and hand-made zips and pickles. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { WeightsError } from '../src/errors';
import { bytesSource } from '../src/weights/byteSource';
import { openWeights } from '../src/weights/open';
import type { WeightsFile } from '../src/weights/weightsFile';
import { readAll } from '../src/weights/weightsFile';

export const FOLDER = join(import.meta.dirname, 'fixtures-weights');

/** File name -> tensor name -> dtype, shape, values as scripts/reference/make_weight_files.py wrote them. */
export const EXPECTED = (JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as {
  files: Record<string, Record<string, [string, number[], (number | string)[]]>>;
}).files;

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(FOLDER, name)));
}

export function open(name: string): Promise<WeightsFile> {
  return openWeights(bytesSource(fixture(name), name));
}

/** A protocol-2 pickle of these instructions, one character a byte. */
export function pickled(body: string): Uint8Array {
  return Uint8Array.from(`\x80\x02${body}`, (char) => char.charCodeAt(0));
}

interface ZipOptions {
  readonly deflate?: boolean;
  /** Size written into the directory instead of the true one. */
  readonly claim?: number;
  readonly method?: number;
  readonly flags?: number;
}

/** A zip archive of these entries. */
export function zipOf(entries: Readonly<Record<string, Uint8Array>>, options: ZipOptions = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const label = new TextEncoder().encode(name);
    const packed = options.deflate ? deflateRawSync(data) : data;
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true);
    common.setUint16(2, options.flags ?? 0, true);
    common.setUint16(4, options.method ?? (options.deflate ? 8 : 0), true);
    common.setUint32(14, packed.length, true);
    common.setUint32(18, options.claim ?? data.length, true);
    common.setUint16(22, label.length, true);
    const fields = new Uint8Array(common.buffer);
    const local = Uint8Array.of(0x50, 0x4b, 3, 4, ...fields, ...label);
    const tail = new DataView(new ArrayBuffer(14));
    tail.setUint32(10, offset, true);
    directory.push(Uint8Array.of(0x50, 0x4b, 1, 2, 20, 0, ...fields, ...new Uint8Array(tail.buffer), ...label));
    parts.push(local, packed);
    offset += local.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, directory.length, true);
  end.setUint16(10, directory.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return new Uint8Array(Buffer.concat([...parts, ...directory, new Uint8Array(end.buffer)]));
}

/** Changes bytes at seeded places, many times; whatever is thrown must be a WeightsError. */
export async function expectOnlyWeightsErrors(name: string, rounds: number): Promise<void> {
  const whole = fixture(name);
  let state = 12345;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  for (let round = 0; round < rounds; round++) {
    const bytes = whole.slice();
    const changes = Array.from({ length: 1 + random(3) }, () => [random(bytes.length), random(256)] as const);
    for (const [place, value] of changes) bytes[place] = value;
    try {
      await readAll(await openWeights(bytesSource(bytes, name)));
    } catch (error) {
      if (!(error instanceof WeightsError) || error.message.includes('\n')) {
        throw new Error(`${name} with ${JSON.stringify(changes)}: ${String(error)}`, { cause: error });
      }
    }
  }
}
