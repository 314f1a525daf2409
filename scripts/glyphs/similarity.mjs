// How alike two glyphs are: correlation of their ink after both are moved and scaled to the same frame.
import sharp from 'sharp';
import { fitOutline, pathData } from './outline.mjs';

const frame = 32;

/**
 * A glyph's ink in a 32x32 frame (longer side 28, slightly blurred, so that stroke weight matters little), mean 0
 * and length 1: the dot product of two such vectors is their correlation.
 */
export async function alignedInk(commands) {
  const path = pathData(fitOutline(commands, 28, frame / 2, frame / 2));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${frame}" height="${frame}"><rect width="100%" height="100%"/>`
    + `<path d="${path}" fill="#fff"/></svg>`;
  const bytes = await sharp(Buffer.from(svg)).blur(1).extractChannel(0).raw().toBuffer();
  const ink = Float64Array.from(bytes);
  const mean = ink.reduce((sum, v) => sum + v, 0) / ink.length;
  const length = Math.sqrt(ink.reduce((sum, v) => sum + (v - mean) ** 2, 0));
  return ink.map((v) => (v - mean) / length);
}

const dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** One vector per family, from the middle weight. */
export function familyInks(entries) {
  return Promise.all(entries.map(async ({ family, faces }) =>
    ({ family, ink: await alignedInk(faces[Math.floor(faces.length / 2)].commands) })));
}

/** The most alike pair of families of two glyphs: `{correlation, families: [first, second]}`. */
export function closestPair(first, second) {
  let best = { correlation: -1, families: [] };
  for (const a of first) {
    for (const b of second) {
      const correlation = dot(a.ink, b.ink);
      if (correlation > best.correlation) best = { correlation, families: [a.family, b.family] };
    }
  }
  return best;
}

/** Letters in which text families differ most; every family of lists.json has them. */
export const probeCharacters = [...'GQRagerst25&'];

/**
 * Every face's inks of `probeCharacters`, by family, from a table of `readOutlines`.
 * A family made from another's Latin letters shows up as a pair of faces with a mean correlation near 1.
 */
export async function probeFaces(table) {
  const families = new Map();
  for (const character of probeCharacters) {
    for (const { family, faces } of table.get(character)) {
      if (!families.has(family)) families.set(family, faces.map(() => []));
      const inks = families.get(family);
      for (const [i, face] of faces.entries()) inks[i].push(await alignedInk(face.commands));
    }
  }
  return families;
}

/** The largest mean correlation between a face of one family and a face of another. */
export function familyLikeness(first, second) {
  let best = -1;
  for (const a of first) {
    for (const b of second) best = Math.max(best, a.reduce((sum, ink, i) => sum + dot(ink, b[i]), 0) / a.length);
  }
  return best;
}
