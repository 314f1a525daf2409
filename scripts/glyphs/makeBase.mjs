// Draws the pretraining set: every base class of lists.json, 64x64 RGB, into one binary file per split.
//   npm ci --prefix scripts/glyphs     (the fonts, once)
//   node scripts/glyphs/makeBase.mjs [--out DIR] [--per-class N] [--validation-per-class N] [--seed N]
// Writes DIR/{train,validation}.images.bin (uint8 [N,64,64,3]), DIR/{train,validation}.labels.bin (uint16, little
// endian, [N]) and DIR/manifest.json. Classes take turns, so any first k * classes pictures hold k of each class.
import { createHash } from 'node:crypto';
import { mkdirSync, openSync, closeSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readOutlines } from './fonts.mjs';
import { baseClasses, lists } from './lists.mjs';
import { randomStream } from './random.mjs';
import { drawGlyph, size } from './render.mjs';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: fileURLToPath(new URL('../../.cache/glyphs-base/', import.meta.url)) },
    'per-class': { type: 'string', default: '130' },
    'validation-per-class': { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
});

/** A whole number of at least 1 from the command line. */
function count(flag) {
  const value = Number(options[flag]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${flag} must be a whole number >= 1, got ${options[flag]}`);
  return value;
}

const seed = count('seed');
const out = options.out;
mkdirSync(out, { recursive: true });

/** Draws one split to disk; returns its part of the manifest. */
async function makeSplit(split, perClass) {
  const families = lists.base.families[split];
  const outlines = readOutlines(families, baseClasses.map(({ character }) => character));
  const imagesFile = `${split}.images.bin`;
  const labelsFile = `${split}.labels.bin`;
  const labels = new Uint16Array(baseClasses.length * perClass);
  const hash = createHash('sha256');
  const file = openSync(join(out, `${imagesFile}.tmp`), 'w');
  const started = performance.now();
  for (let round = 0; round < perClass; round++) {
    const pictures = await Promise.all(baseClasses.map(({ character, name }) => {
      const random = randomStream(`base ${seed} ${split} ${name} ${round}`);
      const found = outlines.get(character);
      if (found.length === 0) throw new Error(`no ${split} family has ${name} ${character}`);
      return drawGlyph(random, random.pick(found[round % found.length].faces));
    }));
    pictures.forEach((picture, label) => {
      labels[round * baseClasses.length + label] = label;
      hash.update(picture);
      writeSync(file, picture);
    });
    if (round % 10 === 9) console.log(`${split}: ${round + 1} of ${perClass} a class, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  closeSync(file);
  renameSync(join(out, `${imagesFile}.tmp`), join(out, imagesFile));
  // Typed arrays are little endian wherever Node runs.
  const labelBytes = new Uint8Array(labels.buffer);
  writeFileSync(join(out, labelsFile), labelBytes);
  return {
    images: imagesFile,
    labels: labelsFile,
    count: labels.length,
    perClass,
    families,
    imagesSha256: hash.digest('hex'),
    labelsSha256: createHash('sha256').update(labelBytes).digest('hex'),
  };
}

const manifest = {
  format: 'glyphs-base 1',
  seed,
  shape: [size, size, 3],
  imageType: 'uint8',
  labelType: 'uint16 little endian',
  classes: baseClasses,
  train: await makeSplit('train', count('per-class')),
  validation: await makeSplit('validation', count('validation-per-class')),
};
writeFileSync(join(out, 'manifest.json.tmp'), `${JSON.stringify(manifest, null, 1)}\n`);
renameSync(join(out, 'manifest.json.tmp'), join(out, 'manifest.json'));
console.log(`${baseClasses.length} classes, ${manifest.train.count} + ${manifest.validation.count} pictures in ${out}`);
