// Draws the sample that ships: an image folder of glyph classes and font families that the base never saw.
//   npm ci --prefix scripts/glyphs     (the fonts, once)
//   node scripts/glyphs/makeSample.mjs [--out DIR] [--check]
// Writes DIR/{train,test}/<class>/NN.png (64x64) and DIR/manifest.json. With --check it writes nothing and fails
// unless DIR holds exactly these bytes. The bytes depend on the fonts (pinned in package-lock.json) and, for the SVG
// and PNG work, on sharp: the committed sample was made with the versions that its manifest names.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { checkFamilies, checkGlyphs, familyLimit, glyphLimit } from './checks.mjs';
import { readOutlines } from './fonts.mjs';
import { lists, sampleClasses } from './lists.mjs';
import { randomStream } from './random.mjs';
import { drawGlyph, size } from './render.mjs';

const seed = 1;
const perClass = { train: 12, test: 20 };

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: fileURLToPath(new URL('../../sample', import.meta.url)) },
    check: { type: 'boolean', default: false },
  },
});
const out = resolve(options.out);
if (existsSync(out) && !existsSync(join(out, 'manifest.json'))) {
  throw new Error(`${out} exists and is no sample folder (it has no manifest.json): name another with --out`);
}

/** A small PNG: 64 colours are enough for a glyph on its ground, and keep the sample under a megabyte. */
const encode = (rgb) => sharp(rgb, { raw: { width: size, height: size, channels: 3 } })
  .png({ palette: true, colours: 64, dither: 0.5, effort: 10, compressionLevel: 9 })
  .toBuffer();

/** All pictures of a split: `[{path, bytes, family, weight}]`. Families take turns, weights are drawn. */
async function drawSplit(split) {
  const outlines = readOutlines(lists.sample.families[split], sampleClasses.map(({ character }) => character));
  const files = [];
  for (const { character, name } of sampleClasses) {
    const found = outlines.get(character);
    if (found.length !== lists.sample.families[split].length) throw new Error(`a ${split} family lacks ${name} ${character}`);
    for (let i = 0; i < perClass[split]; i++) {
      const random = randomStream(`sample ${seed} ${split} ${name} ${i}`);
      const { family, faces } = found[i % found.length];
      const face = random.pick(faces);
      const bytes = await encode(await drawGlyph(random, face, { noise: false }));
      files.push({ path: `${split}/${name}/${String(i + 1).padStart(2, '0')}.png`, bytes, family, weight: face.weight });
    }
  }
  return files;
}

const closestFamilies = await checkFamilies();
const closestBaseGlyphs = await checkGlyphs();
const files = [...(await drawSplit('train')), ...(await drawSplit('test'))];
const described = files.map(({ path, bytes, family, weight }) =>
  ({ path, family, weight, sha256: createHash('sha256').update(bytes).digest('hex') }));
if (new Set(described.map(({ sha256 }) => sha256)).size !== files.length) throw new Error('two pictures are the same');

const manifest = {
  about: 'Drawn by scripts/glyphs/makeSample.mjs. No glyph and no font family in common with the pretraining set.',
  seed,
  size,
  madeWith: { sharp: sharp.versions.sharp, libvips: sharp.versions.vips, librsvg: sharp.versions.rsvg },
  families: lists.sample.families,
  classes: lists.sample.classes,
  limits: { glyphCorrelation: glyphLimit, familyLikeness: familyLimit },
  closestFamilies,
  closestBaseGlyphs,
  files: described,
};
const manifestText = `${JSON.stringify(manifest, null, 1)}\n`;
const everything = [...files, { path: 'manifest.json', bytes: Buffer.from(manifestText) }];

if (options.check) {
  const wrong = everything.filter(({ path, bytes }) => {
    const file = join(out, path);
    return !existsSync(file) || !readFileSync(file).equals(bytes);
  });
  if (wrong.length > 0) throw new Error(`${wrong.length} of ${everything.length} files differ, first ${wrong[0].path}`);
} else {
  const fresh = `${out}.tmp`;
  rmSync(fresh, { recursive: true, force: true });
  for (const { path, bytes } of everything) {
    mkdirSync(dirname(join(fresh, path)), { recursive: true });
    writeFileSync(join(fresh, path), bytes);
  }
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
}
const total = everything.reduce((sum, { bytes }) => sum + bytes.length, 0);
console.log(`${options.check ? 'checked' : 'wrote'} ${files.length} pictures, ${Math.round(total / 1024)} KiB, in ${out}`);
