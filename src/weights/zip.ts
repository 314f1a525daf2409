/**
 * Reads zip archives by range: the central directory first, then only the bytes of the entries asked for. Enough of
 * the format for what PyTorch writes (stored entries, zip64) and for archives that a zip tool has packed again.
 * Format: PKWARE APPNOTE.TXT 6.3.10.
 *
 * Checksums are not compared: tensors are read in part, and PyTorch may be told to write none.
 */
import { WeightsError } from '../errors';
import { allocate, quote, readRange } from './byteSource';
import type { ByteSource } from './byteSource';

const END_SIZE = 22;
const MAX_COMMENT = 0xffff;
const MAX_DIRECTORY = 64 << 20;
const MAX_ENTRIES = 200_000;
/** Deflate cannot shrink further than about 1:1032, so an entry that claims more is a lie... */
const MAX_RATIO = 1040;
/** ... and weights shrink by a tenth, so a large entry that shrinks a hundredfold is a zip bomb. */
const MAX_LARGE_RATIO = 100;
const LARGE = 256 << 20;

export interface ZipEntry {
  readonly name: string;
  /** Bytes once unpacked. */
  readonly size: number;
  readonly packedSize: number;
  readonly deflated: boolean;
  readonly headerOffset: number;
}

export class ZipArchive {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, ZipEntry>;

  private constructor(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>) {
    this.source = source;
    this.entries = entries;
  }

  /** Reads the directory. @throws WeightsError when the archive is truncated or damaged. */
  static async open(source: ByteSource): Promise<ZipArchive> {
    const { offset, size, count } = await findDirectory(source);
    if (size > MAX_DIRECTORY || count > MAX_ENTRIES) {
      throw damaged(source, `its zip directory has ${count} entries in ${size} bytes`);
    }
    const bytes = await readRange(source, offset, size, 'the zip directory');
    return new ZipArchive(source, parseDirectory(source, bytes, count));
  }

  /**
   * Bytes `start` to `start + length` of an entry once unpacked.
   * A stored entry is read in place; a deflated one is unpacked from its beginning.
   */
  async read(entry: ZipEntry, start = 0, length = entry.size): Promise<Uint8Array> {
    const what = `zip entry ${quote(entry.name)}`;
    if (start + length > entry.size) {
      throw damaged(this.source, `${what} has ${entry.size} bytes where ${start + length} are needed`);
    }
    if (length === 0) return new Uint8Array(0);
    const header = view(await readRange(this.source, entry.headerOffset, 30, `the header of ${what}`));
    if (header.getUint32(0, true) !== 0x04034b50) throw damaged(this.source, `${what} has no header where the directory says`);
    const data = entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (!entry.deflated) return readRange(this.source, data + start, length, what);
    const packed = await readRange(this.source, data, entry.packedSize, what);
    return inflate(this.source, what, packed, start, length);
  }
}

function damaged(source: ByteSource, problem: string): WeightsError {
  return new WeightsError(`${source.name}: ${problem}: the file is truncated or damaged. Download or copy it again.`);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uint64(data: DataView, offset: number): number {
  return data.getUint32(offset, true) + data.getUint32(offset + 4, true) * 2 ** 32;
}

/** The directory's place, from the end-of-directory record (which a comment may follow) and its zip64 companion. */
async function findDirectory(source: ByteSource): Promise<{ offset: number; size: number; count: number }> {
  const tailSize = Math.min(source.size, END_SIZE + MAX_COMMENT);
  const tailStart = source.size - tailSize;
  const tail = view(await readRange(source, tailStart, tailSize, 'the end of the zip archive'));
  let end = tailSize - END_SIZE;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw damaged(source, 'the zip archive has no end record');
  const directory = {
    offset: tail.getUint32(end + 16, true),
    size: tail.getUint32(end + 12, true),
    count: tail.getUint16(end + 10, true),
  };
  if (end < 20 || tail.getUint32(end - 20, true) !== 0x07064b50) return directory;
  const at = uint64(tail, end - 20 + 8);
  const record = view(await readRange(source, at, 56, 'the zip64 end record'));
  if (record.getUint32(0, true) !== 0x06064b50) throw damaged(source, 'the zip64 end record is not where the archive says');
  return { offset: uint64(record, 48), size: uint64(record, 40), count: uint64(record, 32) };
}

function parseDirectory(source: ByteSource, bytes: Uint8Array, count: number): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  const data = view(bytes);
  const decoder = new TextDecoder();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.byteLength || data.getUint32(at, true) !== 0x02014b50) {
      throw damaged(source, `entry ${i + 1} of ${count} of the zip directory is not there`);
    }
    const nameEnd = at + 46 + data.getUint16(at + 28, true);
    const extraEnd = nameEnd + data.getUint16(at + 30, true);
    if (extraEnd > bytes.byteLength) throw damaged(source, `entry ${i + 1} of the zip directory is cut off`);
    const name = decoder.decode(bytes.subarray(at + 46, nameEnd));
    const method = data.getUint16(at + 10, true);
    const encrypted = (data.getUint16(at + 8, true) & 1) !== 0;
    if (encrypted || (method !== 0 && method !== 8)) {
      const how = encrypted ? 'encrypted' : `packed with zip method ${method}`;
      throw new WeightsError(`${source.name}: zip entry ${quote(name)} is ${how}. Save the checkpoint again with torch.save.`);
    }
    if (entries.has(name)) throw damaged(source, `the zip archive has two entries named ${quote(name)}`);
    const entry = { name, deflated: method === 8, ...zip64Sizes(data, at, nameEnd, extraEnd) };
    const ratio = entry.size > LARGE ? MAX_LARGE_RATIO : MAX_RATIO;
    const plausible = entry.deflated ? entry.size <= entry.packedSize * ratio : entry.size === entry.packedSize;
    if (!plausible) {
      throw damaged(source, `zip entry ${quote(name)} claims ${entry.size} bytes from ${entry.packedSize}`);
    }
    entries.set(name, entry);
    at = extraEnd + data.getUint16(at + 32, true);
  }
  return entries;
}

/** Sizes and place of an entry; fields that read all ones are in the zip64 extra field, in this order. */
function zip64Sizes(data: DataView, at: number, extraStart: number, extraEnd: number) {
  let packedSize = data.getUint32(at + 20, true);
  let size = data.getUint32(at + 24, true);
  let headerOffset = data.getUint32(at + 42, true);
  for (let extra = extraStart; extra + 4 <= extraEnd; extra += 4 + data.getUint16(extra + 2, true)) {
    if (data.getUint16(extra, true) !== 1) continue;
    let field = extra + 4;
    const end = Math.min(extraEnd, field + data.getUint16(extra + 2, true));
    const next = (current: number): number => {
      if (current !== 0xffffffff || field + 8 > end) return current;
      field += 8;
      return uint64(data, field - 8);
    };
    size = next(size);
    packedSize = next(packedSize);
    headerOffset = next(headerOffset);
  }
  return { size, packedSize, headerOffset };
}

/** Unpacks until `start + length` bytes are there, and keeps only the last `length`. */
async function inflate(source: ByteSource, what: string, packed: Uint8Array, start: number, length: number): Promise<Uint8Array> {
  const out = allocate(length, source.name, what);
  const reader = new Blob([packed as Uint8Array<ArrayBuffer>]).stream()
    .pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  let at = 0;
  try {
    while (at < start + length) {
      const { done, value } = await reader.read();
      if (done) break;
      const from = Math.max(0, start - at);
      const to = Math.min(value.byteLength, start + length - at);
      if (to > from) out.set(value.subarray(from, to), at + from - start);
      at += value.byteLength;
    }
  } catch (cause) {
    throw new WeightsError(`${source.name}: ${what} cannot be unpacked: the file is damaged. Download or copy it again.`, { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  if (at < start + length) throw damaged(source, `${what} unpacks to ${at} bytes where ${start + length} are needed`);
  return out;
}
