/**
 * Weights as text inside an HTML file, and back. Of each block of the file, the numbers' first bytes are put together,
 * then their second bytes and so on: signs and exponents are alike and shrink, which noise in the last bits would hide.
 * Then gzip, whose checksum tells a damaged file, then base64, which survives any editor, server and encoding.
 */

/** Bytes of a block: small enough that packing or unpacking one does not hold up a page. */
const BLOCK = 2 ** 20;

export interface Packing {
  readonly bytes: number;
  readonly stride: number;
}

/** One text a block. */
export async function* pack(bytes: Uint8Array, stride: number): AsyncGenerator<string> {
  for (let from = 0; from < bytes.length; from += BLOCK) {
    yield toBase64(await piped(apart(bytes.subarray(from, from + BLOCK), stride), new CompressionStream('gzip')));
  }
}

/** @throws Error when a text is damaged or one is missing. */
export async function unpack(texts: AsyncIterable<string> | Iterable<string>, { bytes, stride }: Packing, onProgress?: (share: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(bytes);
  let at = 0;
  for await (const text of texts) {
    const block = together(await piped(fromBase64(text), new DecompressionStream('gzip')), stride);
    if (at + block.length > bytes) throw new Error(`there are more than the ${bytes} bytes of the weights`);
    out.set(block, at);
    at += block.length;
    onProgress?.(at / bytes);
  }
  if (at !== bytes) throw new Error(`${at} of ${bytes} bytes of the weights are there`);
  return out;
}

/** Byte `k` of every number, for each `k`; what is left over at the end stays as it is. */
function apart(bytes: Uint8Array, stride: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes);
  const count = Math.floor(bytes.length / stride);
  for (let k = 0, to = 0; k < stride; k++) for (let i = 0; i < count; i++) out[to++] = bytes[i * stride + k];
  return out;
}

/** The reverse of `apart`. */
function together(bytes: Uint8Array, stride: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes);
  const count = Math.floor(bytes.length / stride);
  for (let k = 0, from = 0; k < stride; k++) for (let i = 0; i < count; i++) out[i * stride + k] = bytes[from++];
  return out;
}

async function piped(bytes: Uint8Array<ArrayBuffer>, through: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(through)).arrayBuffer());
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let from = 0; from < bytes.length; from += 0x8000) binary += String.fromCharCode(...bytes.subarray(from, from + 0x8000));
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}
