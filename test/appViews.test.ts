/** What the studio's sections work out before they draw: settings as typed, reasons, outcomes, neighbours, views and colours. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, type ClassInfo, type RunState, type StudioState } from '../app/shared/protocol';
import { heatColour, heatPlace } from '../app/studio/sections/results/colourMap';
import { judgedPictures, placesOf, shownClasses, worstMistakes } from '../app/studio/sections/results/judged';
import { colourOf, markPath } from '../app/studio/sections/results/marks';
import { WHOLE, nearest, panBy, reveal, toScreen, towards, unitPositions, zoomAt } from '../app/studio/sections/results/mapView';
import { neighboursOf } from '../app/studio/sections/results/neighbours';
import { accuracyChart, lossChart } from '../app/studio/sections/train/charts';
import { readiness } from '../app/studio/sections/train/readiness';
import { RULES, augmentationOf, parseNumber, parseOptional, planDefaults, switchesOf } from '../app/studio/sections/train/settingsRules';
import { outcomeOf, planWords } from '../app/studio/sections/train/words';
import { smoothed, steadyTop, verdict } from '../app/studio/sections/try/steady';
import { recipeOf } from '../src/transfer/plan';
import { Random } from '../src/random';

const classOf = (id: number, name: string, images: number): ClassInfo => ({ id, name, images: Array.from({ length: images }, (_, i) => ({ id: `${name}${i}`, name: `${name}/${i}.png` })) });
type Ended = Extract<RunState, { kind: 'ended' }>;

describe('settings as typed', () => {
  it('reads numbers, with a comma too, and says what is wrong with others', () => {
    expect(parseNumber(' 0,01 ', RULES.lr)).toEqual({ value: 0.01 });
    expect(parseNumber('1e-3', RULES.lr)).toEqual({ value: 0.001 });
    expect(parseNumber('0', RULES.lr)).toEqual({ error: 'This must be above 0, not 0.' });
    expect(parseNumber('2.5', RULES.epochs)).toEqual({ error: 'This must be a whole number, not 2.5.' });
    expect(parseNumber('abc', RULES.epochs)).toEqual({ error: 'This must be a number, not “abc”.' });
    expect(parseNumber('', RULES.batchSize)).toEqual({ error: 'This must be a number.' });
    expect(parseNumber('1', RULES.labelSmoothing)).toEqual({ error: 'This must be below 1, not 1.' });
    expect(parseNumber('91', RULES.validationPercent)).toEqual({ error: 'This must be at most 90, not 91.' });
    expect(parseOptional(' ', RULES.epochs)).toEqual({ value: null });
  });

  it('shows the defaults that a run takes', () => {
    for (const plan of ['head', 'layer4', 'full']) {
      const { epochs, optimizer } = recipeOf({ plan });
      expect(planDefaults(plan)).toEqual({ epochs, lr: optimizer.lr });
    }
  });

  it('turns switches into an augmentation that the engine takes, and back', () => {
    for (const switches of [{ crop: true, mirror: false, colour: false }, { crop: false, mirror: true, colour: true }, { crop: true, mirror: true, colour: true }]) {
      const augment = augmentationOf(switches);
      expect(switchesOf(augment)).toEqual(switches);
      expect(recipeOf({ augment: augment ?? undefined }).augment).toEqual(augment);
    }
    expect(augmentationOf({ crop: false, mirror: false, colour: false })).toBeNull();
  });
});

describe('whether training can begin', () => {
  const ready = { kind: 'ready' } as StudioState['device'];
  const base = { kind: 'ready' } as StudioState['base'];
  const of = (classes: readonly ClassInfo[], patch: Partial<StudioState> = {}) => readiness({
    device: { value: patch.device ?? ready }, base: { value: patch.base ?? base }, classes: { value: classes }, settings: { value: patch.settings ?? DEFAULT_SETTINGS }, adding: { value: patch.adding ?? null },
  });

  it('names what is missing', () => {
    expect(of([], { base: { kind: 'none' } }).blockers).toEqual(['Choose a base: the trained network to start from.', 'Add pictures of at least two classes: there are no pictures yet.']);
    expect(of([classOf(0, 'cat', 9)]).blockers).toEqual(['Add pictures of at least two classes: only “cat” has pictures.']);
    expect(of([classOf(0, 'cat', 9), classOf(1, 'dog', 1)]).blockers[0]).toMatch(/“dog” has a single picture/);
    expect(of([classOf(0, 'cat', 9), classOf(1, 'dog', 1)], { settings: { ...DEFAULT_SETTINGS, validationFraction: 0 } }).blockers).toEqual([]);
    expect(of([classOf(0, 'cat', 9), classOf(1, 'dog', 9)], { adding: { done: 1, total: 2 } }).blockers).toEqual(['Pictures are still being added.']);
  });

  it('hints at what is thin, without standing in the way', () => {
    const { blockers, hints } = of([classOf(0, 'cat', 90), classOf(1, 'dog', 5), classOf(2, 'emu', 0)]);
    expect(blockers).toEqual([]);
    expect(hints.join(' ')).toMatch(/“dog” has fewer than 8 pictures.*“emu” has no pictures.*ten times/);
  });
});

describe('what came of a run', () => {
  const result = { recipe: { epochs: 20, patience: 10, batchSize: 32 }, history: [{ epoch: 1, lr: 1, trainLoss: 1, validationLoss: 1, validationAccuracy: 0.75, seconds: 1 }], bestEpoch: 1, ended: 'interrupted', reason: null, parameters: { trainable: { elements: 12 }, frozen: { elements: 3 } }, features: null, images: { train: 9, validation: 8 }, seconds: 3, peakBytes: 2 ** 20, batchNorm: { held: 2, total: 2 }, memory: { microBatch: 32 } } as unknown as Ended['result'];
  const validation = { count: 8, loss: 1, accuracy: 0.75, confusion: [[4, 0], [2, 2]], predictions: [] };
  const run = (patch: Partial<Ended>): Ended => ({ kind: 'ended', result, validation, classes: ['a', 'b'], curve: [], notes: [], ...patch });

  it('says how sure an accuracy of so few is', () => {
    const { accuracy, certainty, sentences, warning } = outcomeOf(run({}));
    expect(accuracy).toBe('75.0 %');
    expect(certainty).toMatch(/^6 of 8 held-out pictures right\. With so few, .* between 40\.9 % and 92\.9 %/);
    expect(sentences.join(' ')).toMatch(/most frequent class would be right for 50\.0 %.*You stopped it after 1 of 20 epochs\. Kept is epoch 1, the best/);
    expect(warning).toBeNull();
  });

  it('takes the accuracy from the history where the judged pictures are not there', () => {
    expect(outcomeOf(run({ validation: null })).accuracy).toBe('75.0 %');
    expect(outcomeOf(run({ validation: null, result: { ...result, history: [], bestEpoch: 0 } }))).toMatchObject({ accuracy: null, warning: 'No epoch was finished, so the network is as it was before.' });
  });

  it('tells a plan by its parts', () => {
    expect(planWords('layer3.1')).toMatch(/block 2 of layer3/);
    expect(planWords('head')).toMatch(/Only the head/);
  });

  it('sorts mistakes by what they cost, by where the pictures are now', () => {
    const predictions = [
      { name: 'a0', label: 0, predicted: 1, confidence: 0.6, labelProbability: 0.4 },
      { name: 'a1', label: 0, predicted: 1, confidence: 0.9, labelProbability: 0.01 },
      { name: 'gone', label: 1, predicted: 0, confidence: 0.9, labelProbability: 0.01 },
      { name: 'b0', label: 1, predicted: 1, confidence: 0.9, labelProbability: 0.9 },
    ];
    const pictures = judgedPictures(run({ validation: { ...validation, predictions } }), placesOf([classOf(0, 'a', 1), { ...classOf(1, 'b', 1), images: [{ id: 'b0', name: 'x' }, { id: 'a1', name: 'y' }] }]));
    expect(worstMistakes(pictures).map(({ id, className }) => [id, className])).toEqual([['a1', 'b'], ['a0', 'a']]);
  });

  it('shows the classes with the most mistakes where there are too many', () => {
    expect(shownClasses([[5, 0, 0, 1], [0, 5, 0, 0], [0, 0, 5, 0], [3, 0, 0, 5]], 2)).toEqual([0, 3]);
  });

  it('draws nothing where nothing is held out', () => {
    expect(accuracyChart([{ ...result.history[0], validationAccuracy: null }], 1)).toBeNull();
    expect(lossChart([{ step: 1, loss: 2 }, { step: 2, loss: 1 }]).summary).toBe('From 2 at step 1 to 1 at step 2; lowest 1.');
  });
});

describe('the map', () => {
  const random = new Random(4);
  const points = Array.from({ length: 200 }, (_, i) => ({ id: String(i), classId: i % 3, x: random.next(), y: random.next() }));
  const box = { width: 640, height: 400 };

  it('finds the neighbours that a search of all pairs finds', () => {
    for (const { point, other, distance, astray } of neighboursOf(points)) {
      const far = (to: typeof point): number => Math.hypot(to.x - point.x, to.y - point.y);
      const others = points.filter(({ classId }) => classId !== point.classId).sort((a, b) => far(a) - far(b));
      const own = points.filter((one) => one.classId === point.classId && one !== point).sort((a, b) => far(a) - far(b));
      expect(other).toBe(others[0]);
      expect(distance).toBeCloseTo(far(others[0]), 12);
      expect(astray).toBe(far(others[0]) < far(own[0]));
    }
    expect(neighboursOf(points.filter(({ classId }) => classId === 0))[0]).toMatchObject({ other: null, astray: false });
  });

  it('zooms around the pointer, pans with it, and never leaves the map', () => {
    const at = { x: 320, y: 210 };
    const spot = { x: 0.52, y: 0.51 };
    const before = toScreen(spot, WHOLE, box);
    const near = zoomAt(WHOLE, 1.5, before, box);
    expect(toScreen(spot, near, box).x).toBeCloseTo(before.x, 9);
    expect(toScreen(spot, near, box).y).toBeCloseTo(before.y, 9);
    const moved = panBy(near, 20, -10, box);
    expect(toScreen(spot, moved, box).x).toBeCloseTo(before.x + 20, 9);
    expect(zoomAt(near, 1e-6, at, box)).toEqual(WHOLE);
    expect(panBy(WHOLE, 500, 500, box)).toEqual(WHOLE);
    const corner = toScreen({ x: 0, y: 1 }, reveal(zoomAt(WHOLE, 10, at, box), { x: 0, y: 1 }, box), box);
    expect(corner.x).toBeGreaterThanOrEqual(0);
    expect(corner.y).toBeLessThanOrEqual(box.height);
  });

  it('reaches pictures by pointer and by arrow', () => {
    const spots = [{ x: 0, y: 0 }, { x: 30, y: 2 }, { x: 10, y: 50 }];
    expect([towards(spots, 0, 1, 0), towards(spots, 0, 0, 1), towards(spots, 0, -1, 0)]).toEqual([1, 2, -1]);
    expect([nearest(spots, { x: 28, y: 0 }, 10), nearest(spots, { x: 28, y: 30 }, 10)]).toEqual([1, -1]);
    for (const { x, y } of unitPositions(points)) expect(Math.max(Math.abs(x - 0.5), Math.abs(y - 0.5))).toBeLessThanOrEqual(0.5 + 1e-12);
  });

  it('gives each of many classes a mark of its own', () => {
    expect(new Set(Array.from({ length: 80 }, (_, i) => colourOf(i) + markPath(i))).size).toBe(80);
  });
});

describe('the heat', () => {
  it('has colours that only grow lighter', () => {
    const luminance = Array.from({ length: 65 }, (_, i) => heatColour(i / 64)).map(([r, g, b]) => [r, g, b].map((v) => (v / 255) ** 2.2)).map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
    luminance.slice(1).forEach((value, i) => expect(value).toBeGreaterThan(luminance[i]));
  });

  it('is found by words', () => {
    const heat = new Float32Array(81);
    expect(heatPlace(heat, 9)).toBeNull();
    heat[0] = 1;
    expect(heatPlace(heat, 9)).toBe('in the upper left part');
    heat.fill(1);
    expect(heatPlace(heat, 9)).toBe('in the middle');
  });
});

describe('live answers', () => {
  it('keep their order until one has clearly passed another', () => {
    const shares = (a: number, b: number, c: number) => [{ name: 'a', probability: a }, { name: 'b', probability: b }, { name: 'c', probability: c }];
    const names = (before: readonly string[], now: ReturnType<typeof shares>) => steadyTop(before, now, 2).map(({ name }) => name);
    expect(names([], shares(0.3, 0.4, 0.3))).toEqual(['b', 'a']);
    expect(names(['a', 'b'], shares(0.42, 0.45, 0.13))).toEqual(['a', 'b']);
    expect(names(['a', 'b'], shares(0.3, 0.6, 0.1))).toEqual(['b', 'a']);
    expect(smoothed(shares(0, 1, 0), shares(1, 0, 0), 0.25).map(({ probability }) => probability)).toEqual([0.25, 0.75, 0]);
  });

  it('say when they are unsure', () => {
    const of = (...values: number[]) => verdict(values.map((probability, i) => ({ name: String(i), probability })))?.unsure;
    expect([of(0.6, 0.4), of(0.8, 0.2), of(0.45, 0.3, 0.25), of(0.52, 0.47, 0.01), of(0.7, 0.2, 0.1)]).toEqual([true, false, true, true, false]);
    expect(verdict([])).toBeNull();
  });
});
