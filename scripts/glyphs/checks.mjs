// Checks that transfer from base to sample is transfer: no glyph and no font family in common, no near-duplicate
// glyph across scripts (Latin A, Cyrillic А, Greek Α) and no family that copies another one's letters.
import { readOutlines } from './fonts.mjs';
import { baseClasses, lists, sampleClasses } from './lists.mjs';
import { closestPair, familyInks, familyLikeness, probeCharacters, probeFaces } from './similarity.mjs';

/** A sample glyph may correlate with no base glyph above this, in any pair of families. */
export const glyphLimit = 0.9;
/** Families of different splits may not be more alike. Copies measure above 0.98, other pairs below 0.966. */
export const familyLimit = 0.975;

const round = (value) => Math.round(value * 1000) / 1000;

function requireDisjoint(what, first, second) {
  const common = first.filter((item) => second.includes(item));
  if (common.length > 0) throw new Error(`${what} in both: ${common.join(' ')}`);
}

/** Splits by name, each a list of families. */
const splits = {
  'base train': lists.base.families.train,
  'base validation': lists.base.families.validation,
  'sample train': lists.sample.families.train,
  'sample test': lists.sample.families.test,
};

/**
 * Throws where two splits share a family or one copies another's letters. Returns the most alike pair of a base and a
 * sample family: `{likeness, families}`.
 */
export async function checkFamilies() {
  const names = Object.keys(splits);
  const faces = await probeFaces(readOutlines(Object.values(splits).flat(), probeCharacters));
  let closest = { likeness: -1, families: [] };
  for (const [i, first] of names.entries()) {
    for (const second of names.slice(i + 1)) {
      requireDisjoint(`font families of ${first} and ${second}`, splits[first], splits[second]);
      for (const a of splits[first]) {
        for (const b of splits[second]) {
          const likeness = familyLikeness(faces.get(a), faces.get(b));
          if (likeness > familyLimit) throw new Error(`${a} (${first}) and ${b} (${second}) draw the same letters: ${round(likeness)}`);
          const crosses = first.startsWith('base') && second.startsWith('sample');
          if (crosses && likeness > closest.likeness) closest = { likeness: round(likeness), families: [a, b] };
        }
      }
    }
  }
  return closest;
}

/**
 * Throws where a sample glyph is a base glyph, in either case, or correlates with one above `glyphLimit` in any pair
 * of families. Returns for each sample class its closest base glyph: `{name: {glyph, correlation, families}}`.
 */
export async function checkGlyphs() {
  const baseGlyphs = baseClasses.map(({ character }) => character);
  const sampleGlyphs = sampleClasses.map(({ character }) => character);
  const bothCases = sampleGlyphs.flatMap((glyph) => [glyph, glyph.toLowerCase(), glyph.toUpperCase()]);
  requireDisjoint('glyphs of base and sample', bothCases, baseGlyphs);
  const inksOf = async (families, characters) => {
    const inks = new Map();
    for (const [character, entries] of readOutlines(families, characters)) inks.set(character, await familyInks(entries));
    return inks;
  };
  const baseInks = await inksOf([...splits['base train'], ...splits['base validation']], baseGlyphs);
  const sampleInks = await inksOf([...splits['sample train'], ...splits['sample test']], sampleGlyphs);
  const closest = {};
  for (const { character, name } of sampleClasses) {
    let best = { correlation: -1 };
    for (const glyph of baseGlyphs) {
      const pair = closestPair(sampleInks.get(character), baseInks.get(glyph));
      if (pair.correlation > best.correlation) best = { glyph, ...pair };
    }
    if (best.correlation > glyphLimit) {
      throw new Error(`${name} ${character} looks like base glyph ${best.glyph}: ${round(best.correlation)} in ${best.families.join(' and ')}`);
    }
    closest[name] = { ...best, correlation: round(best.correlation) };
  }
  return closest;
}
