/** The drawing of a network: its places are plans that the engine knows, and long stages are drawn short. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leastWidth, stagesOf } from '../app/studio/sections/network/parts';
import { comparedPlans, firstTrained, parametersFrom, planFrom, planTitle, suggested, withClasses } from '../app/studio/sections/network/plans';
import type { BlockInfo } from '../app/shared/protocol';
import { createModel, openGpu, trainReport, type Gpu } from '../src/index';
import { describeNetwork } from '../src/transfer/describe';
import { applyPlan } from '../src/transfer/plan';

let gpu: Gpu;
let small: readonly BlockInfo[];
let deep: readonly BlockInfo[];
beforeAll(async () => {
  gpu = await openGpu();
  small = blocksOf('resnet18');
  deep = blocksOf('resnet152');
});
afterAll(() => gpu.destroy());

function blocksOf(name: string): readonly BlockInfo[] {
  const network = createModel(gpu, name, { width: 4, numClasses: 7 });
  const blocks = describeNetwork(network, 64);
  network.dispose();
  return blocks;
}

const classesOf = (...images: number[]) => images.map((n, id) => ({ id, name: `class ${id}`, images: Array.from({ length: n }, (_, i) => ({ id: `${id} ${i}`, name: `${i}.png` })) }));

describe('places and plans', () => {
  it('each place is a plan that trains what is drawn as trained', () => {
    const network = createModel(gpu, 'resnet18', { width: 4, numClasses: 7 });
    expect(small.map((_, i) => planFrom(small, i))).toEqual(['full', 'layer1', 'layer1.1', 'layer2', 'layer2.1', 'layer3', 'layer3.1', 'layer4', 'layer4.1', 'head']);
    for (const i of small.keys()) {
      applyPlan(network, { plan: planFrom(small, i), bn: 'hold' });
      expect(trainReport(network).trainable.elements, planFrom(small, i)).toBe(parametersFrom(small, i));
      expect(firstTrained(small, planFrom(small, i))).toBe(i);
    }
    network.dispose();
  });

  it('finds a place for plans that name a part of a block', () => {
    expect(['layer4.1.conv2', 'layer2.0', 'conv1', 'bn1', 'fc', 'what'].map((plan) => firstTrained(small, plan))).toEqual([8, 3, 0, 0, 9, 9]);
  });

  it('compares the head, one block, each stage, everything, and what is chosen', () => {
    expect(comparedPlans(small, 9).map((i) => planTitle(small, i))).toEqual(['Head only', 'From layer4, block 2', 'From layer4', 'From layer3', 'From layer2', 'From layer1', 'Everything']);
    expect(comparedPlans(deep, firstTrained(deep, 'layer3.20')).map((i) => planFrom(deep, i))).toContain('layer3.20');
  });

  it("gives the last layer the project's classes", () => {
    const network = createModel(gpu, 'resnet18', { width: 4, numClasses: 3 });
    expect(withClasses(small, classesOf(4, 2, 1, 0))).toEqual(describeNetwork(network, 64));
    expect(withClasses(small, classesOf(4))).toBe(small);
    network.dispose();
  });

  it('suggests by the smallest class', () => {
    expect(suggested(classesOf())).toBeNull();
    expect([classesOf(500, 1), classesOf(500, 60, 0), classesOf(500, 300)].map((classes) => suggested(classes)?.plan)).toEqual(['head', 'layer4', 'full']);
    expect(suggested(classesOf(500, 1))?.text).toMatch(/^The smallest class has one picture:/);
  });
});

describe('the drawing', () => {
  it('has every block once, and a boundary wherever it is', () => {
    for (const blocks of [small, deep]) {
      for (const first of blocks.keys()) {
        const parts = stagesOf(blocks, first, []).flatMap((stage) => stage.parts);
        expect(parts.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual([...blocks.keys()]);
        expect(parts.filter(({ from }) => from === first)).toHaveLength(1);
      }
    }
  });

  it('is short for long stages, unless they are asked for', () => {
    const parts = (expanded: string[]) => stagesOf(deep, deep.length - 1, expanded).map((stage) => stage.parts.length);
    expect(parts([])).toEqual([1, 3, 3, 3, 3, 1]);
    expect(parts(['layer3'])).toEqual([1, 3, 3, 36, 3, 1]);
    expect(leastWidth(stagesOf(deep, 0, []))).toBeLessThan(leastWidth(stagesOf(deep, 0, ['layer3'])));
  });
});
