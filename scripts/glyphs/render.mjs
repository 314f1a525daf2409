// Draws one glyph outline as a 64x64 RGB picture: shape, placing, colours, background, blur and noise all drawn at
// random from the stream it is given. The pretraining set and the sample share it; only glyphs and fonts differ.
import sharp from 'sharp';
import { placeOutline, pathData } from './outline.mjs';

export const size = 64;
const pixels = size * size;

// Two pictures at a time come from the caller; more threads inside each would only queue.
sharp.concurrency(1);
sharp.cache(false);

const luminance = ([r, g, b]) => 0.299 * r + 0.587 * g + 0.114 * b;
const hex = (channel) => (channel === 'red' ? '#f00' : '#0f0');

/** Two ink colours and two paper colours in [0, 1], inks at least `contrast` lighter or darker than both papers. */
function drawColours(random) {
  const contrast = random.between(0.2, 0.6);
  const colour = () => [random.next(), random.next(), random.next()];
  const near = (base, reach) => base.map((v) => Math.min(1, Math.max(0, v + random.between(-reach, reach))));
  for (;;) {
    const paper = [colour()];
    paper.push(near(paper[0], random.chance(0.5) ? 0.1 : 0.3));
    const ink = [colour()];
    ink.push(random.chance(0.7) ? ink[0] : near(ink[0], 0.3));
    const [low, high] = [Math.min(...paper.map(luminance)), Math.max(...paper.map(luminance))];
    const [inkLow, inkHigh] = [Math.min(...ink.map(luminance)), Math.max(...ink.map(luminance))];
    if (inkLow - high >= contrast || low - inkHigh >= contrast) return { paper, ink };
  }
}

/** A field in [0, 1] over the picture that mixes the two paper (or ink) colours. */
function drawField(random) {
  const field = new Float32Array(pixels);
  const angle = random.between(0, 2 * Math.PI);
  const [ux, uy] = [Math.cos(angle) / size, Math.sin(angle) / size];
  const [cx, cy] = [random.between(0, size), random.between(0, size)];
  const kind = random.pick(['flat', 'linear', 'linear', 'radial', 'stripes', 'checks', 'clouds', 'clouds']);
  const period = random.between(5, 20);
  const knots = Math.floor(random.between(3, 8));
  const grid = Float32Array.from({ length: (knots + 1) * (knots + 1) }, random.next);
  const smooth = (t) => t * t * (3 - 2 * t);
  const cloud = (x, y) => {
    const [gx, gy] = [(x / size) * knots, (y / size) * knots];
    const [ix, iy] = [Math.floor(gx), Math.floor(gy)];
    const [tx, ty] = [smooth(gx - ix), smooth(gy - iy)];
    const at = (i, j) => grid[(iy + j) * (knots + 1) + ix + i];
    return (at(0, 0) * (1 - tx) + at(1, 0) * tx) * (1 - ty) + (at(0, 1) * (1 - tx) + at(1, 1) * tx) * ty;
  };
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      const along = (x - cx) * ux + (y - cy) * uy;
      const across = (y - cy) * ux - (x - cx) * uy;
      const wave = (t) => Math.min(1, Math.max(0, 0.5 + 2 * Math.sin((t * size * 2 * Math.PI) / period)));
      if (kind === 'linear') field[i] = Math.min(1, Math.max(0, along + 0.5));
      else if (kind === 'radial') field[i] = Math.min(1, Math.hypot(x - cx, y - cy) / size);
      else if (kind === 'stripes') field[i] = wave(along);
      else if (kind === 'checks') field[i] = Math.abs(wave(along) - wave(across));
      else if (kind === 'clouds') field[i] = cloud(x, y);
    }
  }
  return field;
}

/** Lines, circles and bars that lie under the glyph, as SVG. */
function drawClutter(random) {
  const parts = [];
  for (let n = Math.floor(random.between(1, 5)); n > 0; n--) {
    const at = () => random.between(-8, size + 8).toFixed(1);
    const width = random.between(0.7, 3).toFixed(1);
    parts.push(random.chance(0.6)
      ? `<line x1="${at()}" y1="${at()}" x2="${at()}" y2="${at()}" stroke-width="${width}"/>`
      : `<circle cx="${at()}" cy="${at()}" r="${random.between(3, 24).toFixed(1)}" stroke-width="${width}"/>`);
  }
  return `<g fill="none" stroke="${hex('green')}">${parts.join('')}</g>`;
}

/** Glyph coverage and clutter coverage, each 64x64 in [0, 1], from one SVG (red: glyph, green: clutter). */
async function drawCoverage(random, { commands, weight }) {
  const placed = placeOutline(random, commands, size);
  const path = pathData(placed.commands);
  // Thickening a bold face would close its counters.
  const thicker = random.pick([0, 0, 0, 0.02, 0.04, 0.06]);
  const stroke = weight <= 500 ? thicker * placed.extent : 0;
  const hollow = placed.extent > 36 && random.chance(0.08);
  const style = hollow
    ? `fill="none" stroke="${hex('red')}" stroke-width="1.8"`
    : `fill="${hex('red')}" stroke="${hex('red')}" stroke-width="${stroke.toFixed(2)}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><rect width="100%" height="100%"/>`
    + `${random.chance(0.35) ? drawClutter(random) : ''}<path d="${path}" stroke-linejoin="round" ${style}/></svg>`;
  const rgb = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  const glyph = new Float32Array(pixels);
  const clutter = new Float32Array(pixels);
  for (let i = 0; i < pixels; i++) {
    glyph[i] = rgb[3 * i] / 255;
    clutter[i] = rgb[3 * i + 1] / 255;
  }
  return { glyph, clutter };
}

/** Gaussian blur of an interleaved picture, separable, edges repeated. */
function blur(picture, channels, sigma) {
  const radius = Math.ceil(2.5 * sigma);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const pass = (source, stepX, stepY) => {
    const target = new Float32Array(source.length);
    const clamp = (v) => Math.min(size - 1, Math.max(0, v));
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        for (let k = -radius; k <= radius; k++) {
          const from = (clamp(y + k * stepY) * size + clamp(x + k * stepX)) * channels;
          const weight = weights[k + radius] / total;
          for (let c = 0; c < channels; c++) target[(y * size + x) * channels + c] += weight * source[from + c];
        }
      }
    }
    return target;
  };
  return pass(pass(picture, 1, 0), 0, 1);
}

/**
 * One picture of a face's glyph (`{commands, weight}`): a `Uint8Array` of 64 * 64 * 3 bytes, RGB, row by row.
 * `noise: false` leaves out the pixel noise, the one part of a picture that PNG cannot compress.
 */
export async function drawGlyph(random, face, { noise = true } = {}) {
  const { glyph, clutter } = await drawCoverage(random, face);
  const { paper, ink } = drawColours(random);
  const paperField = drawField(random);
  const inkField = drawField(random);
  const clutterShade = random.between(-0.3, 0.3);
  const shadow = random.chance(0.15) ? blur(glyph, 1, random.between(0.6, 1.6)) : null;
  const shadowStep = Math.round(random.between(1, 3)) * (size + 1);
  const shadowShade = random.between(0.2, 0.5);
  const picture = new Float32Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const shade = shadow && i >= shadowStep ? 1 - shadowShade * shadow[i - shadowStep] : 1;
    for (let c = 0; c < 3; c++) {
      const under = (paper[0][c] + (paper[1][c] - paper[0][c]) * paperField[i] + clutterShade * clutter[i]) * shade;
      const over = ink[0][c] + (ink[1][c] - ink[0][c]) * inkField[i];
      picture[3 * i + c] = under + (over - under) * glyph[i];
    }
  }
  const blurred = random.chance(0.5) ? blur(picture, 3, random.between(0.4, 1.3)) : picture;
  const grain = noise && random.chance(0.6) ? random.between(0.01, 0.08) : 0;
  const bytes = new Uint8Array(pixels * 3);
  for (let i = 0; i < bytes.length; i++) {
    const value = blurred[i] + (grain > 0 ? grain * random.normal() : 0);
    bytes[i] = Math.round(255 * Math.min(1, Math.max(0, value)));
  }
  return bytes;
}
