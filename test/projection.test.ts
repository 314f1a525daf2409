/** The map of images: layouts that keep what is near near, the same each time. And Grad-CAM's maps as the studio shows them. */
import { describe, expect, it } from 'vitest';
import { tellingStage } from '../app/worker/analysis/explain';
import { leastDistance, movedApart } from '../app/worker/analysis/apart';
import { enlarge } from '../app/worker/analysis/enlarge';
import { principalComponents } from '../app/worker/analysis/pca';
import { project } from '../app/worker/analysis/projection';
import { IMAGENET_PREPROCESSING, Random, openGpu, randomClassifier } from '../src/index';

/** Points around two centres far apart, in turns. */
function twoClusters(count: number, length = 64): Float32Array[] {
  const random = new Random(4);
  return Array.from({ length: count }, (_, i) => Float32Array.from({ length }, (__, j) => random.normal() + (i % 2 === 0 && j < 8 ? 12 : 0)));
}

const distance = (a: readonly number[], b: readonly number[]): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Share of points whose nearest neighbour is of their own cluster. */
function kept(points: readonly (readonly number[])[]): number {
  const near = points.filter((point, i) => {
    const others = points.map((other, j) => ({ j, d: i === j ? Infinity : distance(point, other) }));
    return others.reduce((a, b) => (b.d < a.d ? b : a)).j % 2 === i % 2;
  });
  return near.length / points.length;
}

describe('project', () => {
  it.each([[14, 'PCA'], [15, 'UMAP'], [16, 'UMAP'], [60, 'UMAP']] as const)('keeps two clusters of %i points apart by %s, the same way each time', async (count, method) => {
    const rows = twoClusters(count);
    const layout = await project(rows);
    expect(layout.method).toBe(method);
    expect(kept(layout.points)).toBe(1);
    expect(await project(rows)).toEqual(layout);
    const [xs, ys] = [0, 1].map((axis) => layout.points.map((point) => point[axis]));
    for (const values of [xs, ys]) {
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
    }
    const extents = [xs, ys].map((values) => Math.max(...values) - Math.min(...values));
    expect(Math.max(...extents)).toBeCloseTo(1, 9);
  });

  it('separates clusters by a gap that is wider than they are', async () => {
    const { points } = await project(twoClusters(60));
    const centre = (side: number): number[] => {
      const own = points.filter((_, i) => i % 2 === side);
      return [0, 1].map((axis) => own.reduce((sum, point) => sum + point[axis], 0) / own.length);
    };
    const spread = Math.max(...points.map((point, i) => distance(point, centre(i % 2))));
    expect(distance(centre(0), centre(1))).toBeGreaterThan(2 * spread);
  });

  it.each([[0], [1], [2]])('has a place for each of %i points', async (count) => {
    const { points } = await project(twoClusters(count));
    expect(points.length).toBe(count);
    expect(points.flat().every((value) => value >= 0 && value <= 1)).toBe(true);
    if (count === 2) expect(distance(points[0], points[1])).toBeCloseTo(1, 9);
  });

  it('places equal points, though there is nothing to tell them apart', async () => {
    const { points } = await project(Array.from({ length: 20 }, () => new Float32Array(8).fill(3)));
    expect(points.flat().every(Number.isFinite)).toBe(true);
    const { points: few } = await project(Array.from({ length: 5 }, () => new Float32Array(8)));
    expect(few.flat().every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  it('leaves none behind another: pictures have room at each point, and stay among their own', async () => {
    const rows = twoClusters(120);
    const { points } = await project(rows.map((row, i) => (i % 4 === 0 ? rows[0] : row))); // copies, too
    const nearest = points.map((point, i) => Math.min(...points.map((other, j) => (i === j ? Infinity : distance(point, other)))));
    expect(Math.min(...nearest)).toBeGreaterThan(0.9 * leastDistance(120));
    expect(kept(points)).toBeGreaterThan(0.95);
  });

  it('moves points apart no further than they need, and not those that are apart', () => {
    expect(movedApart([[0, 0], [0.3, 0], [0.9, 0.9]], 0.2)).toEqual([[0, 0], [0.3, 0], [0.9, 0.9]]);
    const [a, b] = movedApart([[0.5, 0.5], [0.6, 0.5]], 0.2);
    expect(distance(a, b)).toBeGreaterThan(0.195);
    expect(distance(a, b)).toBeLessThanOrEqual(0.2);
    expect([(a[0] + b[0]) / 2, a[1], b[1]]).toEqual([expect.closeTo(0.55, 12), 0.5, 0.5]);
  });

  it('stops when it is told to', async () => {
    await expect(project(twoClusters(400), AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('principalComponents', () => {
  it('finds the plane that points lie in, its wider direction first', () => {
    const [along, across] = [[0.6, 0, 0.8], [0.8, 0, -0.6]];
    const places = [[4, 1], [-4, 1], [2, -1], [-2, -1], [0, 0]];
    const rows = places.map(([a, b]) => Float32Array.from(along, (value, i) => 7 + a * value + b * across[i]));
    const found = principalComponents(rows, 2);
    const signs = [0, 1].map((axis) => Math.sign(found[0][axis] * places[0][axis]));
    found.forEach((point, i) => point.forEach((value, axis) => expect(value).toBeCloseTo(signs[axis] * places[i][axis], 4)));
  });

  it('gives zeros where there are no more directions', () => {
    expect(principalComponents([Float32Array.of(1, 2), Float32Array.of(3, 4)], 2).map((point) => point[1])).toEqual([0, 0]);
    expect(principalComponents([], 2)).toEqual([]);
  });
});

describe('tellingStage', () => {
  it.each([[224, 'layer4'], [128, 'layer3'], [64, 'layer2'], [32, 'layer1'], [16, 'layer1']] as const)('of pictures of %i pixels is %s', async (size, stage) => {
    const gpu = await openGpu();
    const classifier = randomClassifier(gpu, 'resnet18', ['a', 'b'], { width: 4, preprocessing: { ...IMAGENET_PREPROCESSING, resizeSize: size, cropSize: size } });
    expect(tellingStage(classifier)).toBe(stage);
    gpu.destroy();
  });
});

describe('enlarge', () => {
  it('puts cells where they belong, and what is between them between', () => {
    const map = Float32Array.of(0, 1, 0.5, 0);
    const large = enlarge(map, [2, 2], 4);
    expect(Array.from(large.subarray(0, 4))).toEqual([0, 0.25, 0.75, 1]);
    expect([large[12], large[15]]).toEqual([0.5, 0]);
    expect(Array.from(enlarge(map, [2, 2], 2))).toEqual([0, 1, 0.5, 0]);
  });

  it('has one value everywhere where the map has one', () => {
    expect(new Set(enlarge(Float32Array.of(0.75), [1, 1], 5))).toEqual(new Set([0.75]));
    expect(enlarge(new Float32Array(49).fill(1), [7, 7], 224).every((value) => value === 1)).toBe(true);
  });
});
