/** Image folders: what is found, what is left out and why, and splits that depend on content alone. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../src/data/dataset';
import { compareCodePoints, split } from '../src/data/dataset';
import { DataError, UsageError } from '../src/errors';
import { imageFolder } from '../src/node/imageFolder';

let base = '';
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'graft-folder-'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** PNG bytes that differ for each number. */
async function png(number: number): Promise<Buffer> {
  const raw = Buffer.from([number & 255, number >> 8, 77]);
  return sharp(raw, { raw: { width: 1, height: 1, channels: 3 } }).resize(6, 5).png().toBuffer();
}

let folders = 0;
/** A folder with these files; a number stands for the PNG of that number. */
async function make(files: Readonly<Record<string, number | Buffer | string>>): Promise<string> {
  const root = join(base, `folder ${folders++}`);
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'number' ? await png(content) : content);
  }
  return root;
}

/** n different images under a label, numbered from `first`. */
function many(label: string, n: number, first: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: n }, (_, i) => [`${label}/${i}.png`, first + i]));
}

const names = (dataset: Dataset): string[] => dataset.items.map(({ name }) => name);
const hashes = (dataset: Dataset): string[] => dataset.items.map(({ hash }) => hash).sort();

describe('imageFolder finds', () => {
  it('labels in code point order, also with spaces and of any script, nested and hidden files, any case', async () => {
    const root = await make({
      'zebra crossing/a.png': 1, 'zebra crossing/deep/er/b.PNG': 2, 'Ärger/c.png': 3, 'Ärger/d.png': 4,
      '猫/e.png': 5, '猫/f.png': 6, 'Zoo/g.png': 7, 'Zoo/h.png': 8, '🐈/i.png': 9, '🐈/j.png': 10, '\uFB01sh/k.png': 11,
      '\uFB01sh/l.png': 12, 'Zoo/.hidden.png': 13, '.git/m.png': 14, 'Zoo/notes.txt': 'text', '__MACOSX/n.png': 15,
    });
    const data = await imageFolder(root);
    expect(data.classes).toEqual(['Zoo', 'zebra crossing', 'Ärger', '猫', '\uFB01sh', '🐈']);
    expect(data.report).toMatchObject({ found: 12, skipped: [], duplicates: [], conflicts: [], warnings: [] });
    expect(data.train.items.length + data.validation.items.length).toBe(12);
    expect([...names(data.train), ...names(data.validation)]).toContain('zebra crossing/deep/er/b.PNG');
    for (const { name, label } of data.train.items) expect(name.startsWith(`${data.classes[label]}/`)).toBe(true);
    await data.close();
  });

  it('the same label in two Unicode forms as one', async () => {
    const root = await make({ ...many('train/é', 2, 0), ...many('val/e\u0301', 2, 10), ...many('train/b', 2, 20), ...many('val/b', 2, 30) });
    expect((await imageFolder(root)).classes).toEqual(['b', 'é']);
  });

  it('train, val and test folders as the splits', async () => {
    const root = await make({
      ...many('train/a', 3, 0), ...many('train/b', 4, 10), ...many('val/a', 2, 20), ...many('val/b', 1, 30), ...many('test/b', 2, 40),
    });
    const data = await imageFolder(root);
    expect([data.train, data.validation, data.test].map((part) => part?.items.length)).toEqual([7, 3, 2]);
    expect(data.validation.items.every(({ name }) => name.startsWith('val/'))).toBe(true);
    expect(data.classes).toEqual(['a', 'b']);
    expect(data.report.warnings).toEqual([]);
  });

  it('train and test without val: validation comes out of train, never out of test', async () => {
    const root = await make({ ...many('train/a', 5, 0), ...many('train/b', 5, 10), ...many('test/a', 2, 20), ...many('test/b', 2, 30) });
    const data = await imageFolder(root);
    expect([data.train, data.validation, data.test].map((part) => part?.items.length)).toEqual([8, 2, 4]);
  });

  it('train and test as plain labels when images lie right in them', async () => {
    const data = await imageFolder(await make({ ...many('train', 3, 0), ...many('test', 3, 10) }));
    expect(data.classes).toEqual(['test', 'train']);
  });

  it('its way out of symlink loops, and follows other links', async () => {
    const root = await make({ ...many('a', 3, 0), ...many('b', 3, 10) });
    const elsewhere = await make(many('more', 2, 20));
    symlinkSync(root, join(root, 'a', 'up'), 'dir');
    symlinkSync(join(root, 'a'), join(root, 'a', 'self'), 'dir');
    symlinkSync(join(elsewhere, 'more'), join(root, 'b', 'linked'), 'dir');
    symlinkSync(join(root, 'nowhere.png'), join(root, 'b', 'dangling.png'));
    symlinkSync('ring.png', join(root, 'b', 'ring.png'));
    const data = await imageFolder(root);
    expect(data.report.found).toBe(10);
    expect(data.report.warnings.filter((text) => /not entered again/.test(text)).length).toBe(2);
    expect(data.report.skipped.map(({ path }) => path)).toEqual(['b/dangling.png', 'b/ring.png']);
    expect([...names(data.train), ...names(data.validation)]).toContain('b/linked/0.png');
  });
});

describe('imageFolder leaves out and reports', () => {
  it('broken images, each with its reason', async () => {
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } }).jpeg().toBuffer();
    const root = await make({
      ...many('a', 3, 0), ...many('b', 3, 10), 'a/empty.jpg': '', 'a/cut.jpg': jpeg.subarray(0, jpeg.length - 10), 'b/text.png': 'hello',
      'b/phone.heic': 'ftypheic',
    });
    const { report, train, validation } = await imageFolder(root);
    expect(report.found).toBe(10);
    expect(new Map(report.skipped.map(({ path, reason }) => [path, reason]))).toEqual(new Map([
      ['a/empty.jpg', expect.stringMatching(/empty/)], ['a/cut.jpg', expect.stringMatching(/truncated/)],
      ['b/text.png', expect.stringMatching(/not JPEG/)], ['b/phone.heic', expect.stringMatching(/\.heic is not read/)],
    ]));
    expect(train.items.length + validation.items.length).toBe(6);
  });

  // Root may read everything.
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('an unreadable file and folder', async () => {
    const root = await make({ ...many('a', 3, 0), ...many('b', 3, 10), 'b/closed/x.png': 20 });
    chmodSync(join(root, 'a/0.png'), 0);
    chmodSync(join(root, 'b/closed'), 0);
    const { report } = await imageFolder(root);
    expect(report.skipped[0].reason).toMatch(/permission/);
    expect(report.warnings.join()).toMatch(/EACCES/);
    chmodSync(join(root, 'b/closed'), 0o755);
  });

  it('copies within a label', async () => {
    const root = await make({ ...many('a', 4, 0), 'a/copy of 2.png': 2, 'a/sub/2 again.png': 2, ...many('b', 2, 10) });
    const { report, train, validation } = await imageFolder(root);
    expect(report.duplicates).toEqual([
      { path: 'a/copy of 2.png', of: 'a/2.png' }, { path: 'a/sub/2 again.png', of: 'a/2.png' },
    ]);
    const all = [...hashes(train), ...hashes(validation)];
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBe(6);
  });

  it('the same image under two labels, both copies', async () => {
    const root = await make({ ...many('a', 3, 0), ...many('b', 3, 10), 'a/both.png': 99, 'b/both too.png': 99 });
    const { report, train, validation } = await imageFolder(root);
    expect(report.conflicts).toEqual([{ labels: ['a', 'b'], paths: ['a/both.png', 'b/both too.png'] }]);
    expect(report.warnings[0]).toMatch(/same image is under the labels 'a', 'b'/);
    expect(train.items.length + validation.items.length).toBe(6);
  });

  it('training copies of held-out images', async () => {
    const root = await make({ ...many('train/a', 4, 0), ...many('train/b', 4, 10), ...many('val/a', 2, 3), ...many('val/b', 2, 30) });
    const { report, train, validation } = await imageFolder(root);
    expect(report.duplicates).toEqual([{ path: 'train/a/3.png', of: 'val/a/0.png' }]);
    expect(hashes(train).filter((hash) => hashes(validation).includes(hash))).toEqual([]);
    expect(validation.items.length).toBe(4);
  });

  it('a label without images, with a warning', async () => {
    const root = await make({ ...many('a', 2, 0), ...many('b', 2, 10) });
    mkdirSync(join(root, 'c'));
    const { classes, report } = await imageFolder(root);
    expect(classes).toEqual(['a', 'b']);
    expect(report.warnings).toEqual([expect.stringMatching(/label 'c' has no usable training image/)]);
  });

  it('nothing of a label with one image, which is trained on and not validated', async () => {
    const { train, validation, report } = await imageFolder(await make({ ...many('a', 5, 0), ...many('b', 1, 10) }));
    expect(names(train)).toContain('b/0.png');
    expect(names(validation).some((name) => name.startsWith('b/'))).toBe(false);
    expect(report.warnings).toEqual([expect.stringMatching(/1 label has no image to validate on.*'b'/)]);
  });
});

describe('imageFolder refuses', () => {
  const cases: [string, () => Promise<string>, RegExp][] = [
    ['what is not there', async () => join(base, 'absent'), /does not exist/],
    ['a file', async () => join(await make({ 'x.png': 1 }), 'x.png'), /is a file, not a folder/],
    ['an empty folder', () => make({}), /holds no images/],
    ['empty labels', () => make({ 'a/x.txt': '', 'b/y.txt': '' }), /holds no images/],
    ['images without label folders', () => make({ 'x.png': 1, 'y.png': 2 }), /holds 2 images but no label folders/],
    ['one label', () => make(many('only', 3, 0)), /only one label, 'only'/],
    ['one label with images', async () => {
      const root = await make(many('a', 3, 0));
      mkdirSync(join(root, 'b'));
      return root;
    }, /only the label 'a' of 'a', 'b'/],
    ['only broken images', () => make({ 'a/x.png': 'no', 'b/y.png': '' }), /none of its 2 images can be used \(2 cannot be read, the first: a\/x\.png/],
    ['fewer images than labels', async () => {
      const root = await make({ 'a/x.png': 1, 'b/y.png': 2 });
      mkdirSync(join(root, 'c'));
      return root;
    }, /fewer usable images \(2\) than labels \(3\)/],
    ['the same images under every label', () => make({ ...many('a', 2, 0), ...many('b', 2, 0) }), /none of its 4 images can be used/],
  ];
  for (const [what, path, message] of cases) {
    it(what, async () => {
      const error = await imageFolder(await path()).then(() => undefined, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DataError);
      if (error instanceof DataError) {
        expect(error.message).toMatch(message);
        expect(error.message).not.toContain('\n');
      }
    });
  }

  it('options out of range', async () => {
    const root = await make({ ...many('a', 2, 0), ...many('b', 2, 10) });
    await expect(imageFolder(root, { validationFraction: 1 })).rejects.toThrow(UsageError);
    await expect(imageFolder(root, { workers: -1 })).rejects.toThrow(/workers/);
    await expect(imageFolder(root, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});

describe('the split', () => {
  it('depends on content, not on names, place or time', async () => {
    const files = { ...many('a', 20, 0), ...many('b', 11, 100), ...many('c', 2, 200) };
    const first = await imageFolder(await make(files));
    expect([0, 1, 2].map((label) => first.validation.items.filter((item) => item.label === label).length)).toEqual([4, 2, 1]);
    const moved = join(base, 'moved');
    cpSync(first.path, moved, { recursive: true });
    renameSync(join(moved, 'a/0.png'), join(moved, 'a/renamed.png'));
    const second = await imageFolder(moved);
    expect(hashes(second.validation)).toEqual(hashes(first.validation));
    expect(hashes(second.train)).toEqual(hashes(first.train));
    const seeded = await imageFolder(moved, { splitSeed: 1 });
    expect(hashes(seeded.validation)).not.toEqual(hashes(first.validation));
    expect(hashes((await imageFolder(first.path, { splitSeed: 1 })).validation)).toEqual(hashes(seeded.validation));
    const none = await imageFolder(moved, { validationFraction: 0 });
    expect([none.train.items.length, none.validation.items.length]).toEqual([33, 0]);
    expect(none.report.warnings).toEqual([]);
  });

  it('keeps copies on one side, of any dataset', async () => {
    const { train } = await imageFolder(await make({ ...many('a', 6, 0), ...many('b', 6, 10) }), { validationFraction: 0 });
    const doubled = train.subset([...train.items.keys(), ...train.items.keys()]);
    const parts = split(doubled, 0.5);
    expect(parts.train.items.length + parts.validation.items.length).toBe(24);
    expect(hashes(parts.train).filter((hash) => hashes(parts.validation).includes(hash))).toEqual([]);
    expect(() => split(train, 1.5)).toThrow(UsageError);
    expect(() => train.subset([99])).toThrow(/outside 0 to 11/);
  });

  it('orders as Python does', () => {
    expect(['b', 'a', 'B', '', 'ab', '🐈', '\uFB01'].sort(compareCodePoints)).toEqual(['', 'B', 'a', 'ab', 'b', '\uFB01', '🐈']);
  });
});
