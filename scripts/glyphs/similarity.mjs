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

/** One vector per family, from the middle weight. */
export function familyInks(entries) {
  return Promise.all(entries.map(async ({ family, faces }) =>
    ({ family, ink: await alignedInk(faces[Math.floor(faces.length / 2)].commands) })));
}

/** The most alike pair of families of two glyphs: `{correlation, families: [first, second]}`. */
export function closest(first, second) {
  let best = { correlation: -1, families: [] };
  for (const a of first) {
    for (const b of second) {
      let correlation = 0;
      for (let i = 0; i < a.ink.length; i++) correlation += a.ink[i] * b.ink[i];
      if (correlation > best.correlation) best = { correlation, families: [a.family, b.family] };
    }
  }
  return best;
}
