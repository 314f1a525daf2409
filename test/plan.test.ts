/** Planned memory: temporaries share buffers, never two whose lifetimes meet, and close to the least there can be. */
import { describe, expect, it } from 'vitest';
import { planMemory, type Lifetime } from '../src/gpu/plan';
import { Random } from '../src/random';

const life = (bytes: number, first: number, last: number, released = last + 1): Lifetime => ({ bytes, first, last, released });

/** Lifetimes as of a step: most are short, some reach from the forward pass into the backward. */
function randomLifetimes(random: Random, count: number): Lifetime[] {
  return Array.from({ length: count }, (_, i) => {
    const long = random.next() < 0.3;
    const last = long ? 2 * count - i : i + Math.floor(random.next() * 5);
    return life(256 * (1 + Math.floor(random.next() ** 3 * 1000)), i, last, last + 1 + Math.floor(random.next() * 6));
  });
}

describe('planMemory', () => {
  it('shares what follows one another and keeps apart what meets', () => {
    const plan = planMemory([life(1000, 0, 1), life(500, 1, 2), life(800, 2, 3)]);
    expect(plan.assignment[0]).toBe(plan.assignment[2]);
    expect(plan.assignment[1]).not.toBe(plan.assignment[0]);
    expect(plan).toMatchObject({ bytes: 1500, lowerBound: 1500 });
    expect([...plan.buffers].sort()).toEqual([1000, 500]);
  });
  it('needs nothing for nothing', () => {
    expect(planMemory([])).toEqual({ buffers: [], assignment: [], bytes: 0, lowerBound: 0, sharedBound: 0, pooledBytes: 0 });
  });
  it('keeps apart what is read and written by one command', () => {
    const { assignment } = planMemory([life(256, 0, 4), life(256, 4, 5)]);
    expect(assignment[0]).not.toBe(assignment[1]);
  });
  it('counts what the eager pool would hold: by size class, until released, nothing given back', () => {
    // Two of 1000 bytes are in use at once although the second is written when the first matters no more.
    expect(planMemory([life(1000, 0, 1, 5), life(1000, 2, 3, 4), life(300, 4, 5)])).toMatchObject({ pooledBytes: 1024 + 1024 + 512, bytes: 1000 });
  });
  it('colours equal sizes with as few buffers as are in use at once', () => {
    const random = new Random(5);
    for (let run = 0; run < 20; run++) {
      const lifetimes = randomLifetimes(random, 60).map(({ first, last, released }) => life(512, first, last, released));
      const { bytes, lowerBound } = planMemory(lifetimes);
      expect(bytes).toBe(lowerBound);
    }
  });
  it('never lets two meet, is deterministic, and stays near the lower bound', () => {
    const random = new Random(1);
    let worst = 0;
    for (let run = 0; run < 60; run++) {
      const lifetimes = randomLifetimes(random, 1 + Math.floor(random.next() * 120));
      const plan = planMemory(lifetimes);
      expect(plan).toEqual(planMemory(lifetimes));
      expect(plan.bytes).toBe(plan.buffers.reduce((a, b) => a + b, 0));
      expect(plan.bytes).toBeGreaterThanOrEqual(plan.sharedBound);
      expect(plan.sharedBound).toBeGreaterThanOrEqual(plan.lowerBound);
      expect(plan.bytes).toBeLessThanOrEqual(plan.pooledBytes);
      worst = Math.max(worst, plan.bytes / plan.sharedBound);
      lifetimes.forEach((a, i) => {
        expect(plan.buffers[plan.assignment[i]]).toBeGreaterThanOrEqual(a.bytes);
        for (let j = 0; j < i; j++) {
          const b = lifetimes[j];
          if (plan.assignment[i] === plan.assignment[j]) expect(a.first > b.last || b.first > a.last).toBe(true);
        }
      });
    }
    expect(worst).toBeLessThan(1.35);
  });
});
