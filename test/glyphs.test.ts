// The committed sample: its files are the ones its manifest describes, and it shares nothing with the pretraining set.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';

interface Lists {
  base: { families: { train: string[]; validation: string[] }; classes: Record<string, string> };
  sample: { families: { train: string[]; test: string[] }; classes: Record<string, string> };
}

interface Manifest {
  size: number;
  families: { train: string[]; test: string[] };
  classes: Record<string, string>;
  limits: { glyphCorrelation: number; familyLikeness: number };
  closestFamilies: { likeness: number; families: string[] };
  closestBaseGlyphs: Record<string, { glyph: string; correlation: number; families: string[] }>;
  files: { path: string; family: string; weight: number; sha256: string }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
const lists = readJson('scripts/glyphs/lists.json') as Lists;
const manifest = readJson('sample/manifest.json') as Manifest;

const baseGlyphs = Object.values(lists.base.classes).flatMap((glyphs) => [...glyphs]);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const bytesOf = (path: string): Uint8Array => readFileSync(join(root, 'sample', path));

describe('sample', () => {
  it('holds the files of its manifest and no others, byte for byte', () => {
    const found = readdirSync(join(root, 'sample'), { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => statSync(join(root, 'sample', path)).isFile() && path !== 'manifest.json');
    expect(found.sort()).toEqual(manifest.files.map(({ path }) => path).sort());
    for (const { path, sha256: expected } of manifest.files) expect(sha256(bytesOf(path)), path).toBe(expected);
  });

  it('has 10 classes of 12 training and 20 test pictures, under a megabyte', () => {
    const classes = Object.keys(manifest.classes);
    expect(classes).toHaveLength(10);
    for (const name of classes) {
      const inSplit = (split: string) => manifest.files.filter(({ path }) => path.startsWith(`${split}/${name}/`));
      expect(inSplit('train'), name).toHaveLength(12);
      expect(inSplit('test'), name).toHaveLength(20);
    }
    const total = manifest.files.reduce((sum, { path }) => sum + bytesOf(path).length, 0);
    expect(total).toBeLessThan(1e6);
  });

  it('repeats no picture, and every picture is 64x64 with something to see', async () => {
    const pixels = new Map<string, string>();
    for (const { path } of manifest.files) {
      const { data, info } = await sharp(bytesOf(path)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels], path).toEqual([manifest.size, manifest.size, 3]);
      const hash = sha256(data);
      expect(pixels.get(hash), `${path} repeats a picture`).toBeUndefined();
      pixels.set(hash, path);
      expect(Math.max(...data) - Math.min(...data), `contrast of ${path}`).toBeGreaterThan(40);
    }
  });

  it('draws training and test pictures from the families it says', () => {
    expect(manifest.families).toEqual(lists.sample.families);
    for (const { path, family } of manifest.files) {
      const allowed = path.startsWith('train/') ? manifest.families.train : manifest.families.test;
      expect(allowed, path).toContain(family);
    }
  });
});

describe('sample and pretraining set', () => {
  it('share no glyph, in either case', () => {
    expect(manifest.classes).toEqual(lists.sample.classes);
    const glyphs = Object.values(manifest.classes).flatMap((c) => [c, c.toLowerCase(), c.toUpperCase()]);
    expect(glyphs.filter((glyph) => baseGlyphs.includes(glyph))).toEqual([]);
    expect(new Set(baseGlyphs).size, 'base glyphs are distinct').toBe(baseGlyphs.length);
  });

  it('share no font family, nor do the splits of either', () => {
    const all = [...Object.values(lists.base.families), ...Object.values(lists.sample.families)].flat();
    expect(all.filter((family, i) => all.indexOf(family) !== i)).toEqual([]);
  });

  it('were measured: no sample glyph looks like a base glyph, no family copies another', () => {
    expect(manifest.limits.glyphCorrelation).toBeLessThanOrEqual(0.95);
    expect(Object.keys(manifest.closestBaseGlyphs)).toEqual(Object.keys(manifest.classes));
    const baseFamilies = Object.values(lists.base.families).flat();
    for (const [name, closest] of Object.entries(manifest.closestBaseGlyphs)) {
      expect(baseGlyphs, name).toContain(closest.glyph);
      expect(baseFamilies, name).toContain(closest.families[1]);
      expect(closest.correlation, name).toBeLessThan(manifest.limits.glyphCorrelation);
    }
    expect(manifest.closestFamilies.likeness).toBeLessThan(manifest.limits.familyLikeness);
  });
});
