/** Files that an engine is handed by path. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function readFloats(dir, file) {
  const { buffer, byteOffset, byteLength } = readFileSync(join(dir, file));
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

export const readJson = (dir, file) => JSON.parse(readFileSync(join(dir, file), 'utf8'));
