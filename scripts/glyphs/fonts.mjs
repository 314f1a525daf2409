// Finds glyph outlines in the @fontsource packages: family + character -> one outline per weight.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import opentype from 'opentype.js';

const packages = fileURLToPath(new URL('./node_modules/@fontsource/', import.meta.url));
/** At most so many weights of a family are used, spread evenly from its lightest to its boldest. */
const maxWeights = 5;

/** A family's font files, `[{weight, files}]`; the files of a weight are its subsets (latin, greek, ...). */
function familyFaces(family) {
  const folder = join(packages, family, 'files');
  if (!existsSync(folder)) {
    throw new Error(`font family ${family} is not installed: run "npm ci" in scripts/glyphs`);
  }
  const byWeight = new Map();
  for (const file of readdirSync(folder).sort()) {
    const match = /-(\d+)-normal\.woff$/.exec(file);
    if (!match) continue;
    const weight = Number(match[1]);
    if (!byWeight.has(weight)) byWeight.set(weight, []);
    byWeight.get(weight).push(join(folder, file));
  }
  const weights = [...byWeight.keys()].sort((a, b) => a - b);
  const count = Math.min(maxWeights, weights.length);
  const chosen = Array.from({ length: count }, (_, i) =>
    weights[count === 1 ? 0 : Math.round((i * (weights.length - 1)) / (count - 1))]);
  return chosen.map((weight) => ({ weight, files: byWeight.get(weight) }));
}

/**
 * A WOFF file as the plain font inside it. opentype.js can read WOFF too, but its inflate rejects some valid streams
 * (in Mina and the Noto Devanagari fonts of 5.3.0), which zlib reads.
 */
function unwrapWoff(woff) {
  const tableCount = woff.readUInt16BE(12);
  const font = Buffer.alloc(woff.readUInt32BE(16));
  woff.copy(font, 0, 4, 8);
  font.writeUInt16BE(tableCount, 4);
  let end = 12 + 16 * tableCount;
  for (let i = 0; i < tableCount; i++) {
    const entry = 44 + 20 * i;
    const offset = woff.readUInt32BE(entry + 4);
    const packedLength = woff.readUInt32BE(entry + 8);
    const length = woff.readUInt32BE(entry + 12);
    const packed = woff.subarray(offset, offset + packedLength);
    (packedLength < length ? inflateSync(packed) : packed).copy(font, end);
    woff.copy(font, 12 + 16 * i, entry, entry + 4);
    font.writeUInt32BE(woff.readUInt32BE(entry + 16), 12 + 16 * i + 4);
    font.writeUInt32BE(end, 12 + 16 * i + 8);
    font.writeUInt32BE(length, 12 + 16 * i + 12);
    end += (length + 3) & ~3;
  }
  return font.buffer.slice(font.byteOffset, font.byteOffset + font.length);
}

const parse = (file) => opentype.parse(unwrapWoff(readFileSync(file)));

/** The drawing commands of a character (opentype.js's, y down, 1 em = 1000), or null where the font lacks it. */
function commandsOf(font, character) {
  if (font.charToGlyphIndex(character) <= 0) return null;
  const { commands } = font.charToGlyph(character).getPath(0, 0, 1000, undefined, font);
  return commands.length < 4 ? null : commands;
}

/**
 * The outlines of every character in every family that has it: a map from character to a list with one entry per
 * family, `{family, faces: [{weight, commands}]}`. Families are opened one after another, so that the parsed fonts
 * (hundreds of megabytes together) are never all in memory.
 */
export function readOutlines(families, characters) {
  const table = new Map(characters.map((character) => [character, []]));
  for (const family of families) {
    const found = new Map();
    for (const { weight, files } of familyFaces(family)) {
      const missing = new Set(characters);
      for (const file of files) {
        const font = parse(file);
        for (const character of missing) {
          const commands = commandsOf(font, character);
          if (!commands) continue;
          missing.delete(character);
          if (!found.has(character)) found.set(character, []);
          found.get(character).push({ weight, commands });
        }
      }
    }
    for (const [character, faces] of found) table.get(character).push({ family, faces });
  }
  return table;
}
