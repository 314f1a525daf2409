/** What the drawing shows of each stage: all its blocks, or the first, the last and how many lie between. */
import type { BlockInfo } from '../../../shared/protocol';

/** Blocks `from` up to, but not including, `to`, drawn as one. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly title: string;
}

export interface Stage {
  readonly name: string;
  /** Index of its first block. */
  readonly from: number;
  readonly blocks: readonly BlockInfo[];
  readonly count: number;
  readonly parts: readonly Part[];
  readonly output: readonly [number, number, number];
  /** 0 to 1: how large its pictures are, by their side. */
  readonly height: number;
  /** Has more blocks than are drawn one by one. */
  readonly long: boolean;
}

/** Blocks of a stage that are drawn one by one. */
const MOST = 6;

export function stagesOf(blocks: readonly BlockInfo[], first: number, expanded: readonly string[]): Stage[] {
  const names = [...new Set(blocks.map(({ stage }) => stage))];
  const largest = Math.max(...blocks.map(({ output }) => output[0]));
  return names.map((name) => {
    const from = blocks.findIndex(({ stage }) => stage === name);
    const own = blocks.filter(({ stage }) => stage === name);
    const { output } = own[own.length - 1];
    const long = own.length > MOST;
    return {
      name, from, blocks: own, count: own.length, output, long,
      parts: partsOf(blocks, from, from + own.length, first, long && !expanded.includes(name)),
      // By the root: the last pictures are 8 times smaller than the first, and still to be seen.
      height: Math.sqrt(output[0] / largest),
    };
  });
}

/** Pixels that a stage's caption and its parts need beside each other, with text of the usual size. */
export function stageWidth(parts: readonly Part[]): number {
  return Math.max(64, parts.reduce((sum, { from, to }) => sum + (to - from > 1 ? 41 : 15), 0));
}

/** Pixels that the whole line needs, with image, classes and handle; with less, stages lie below each other. */
export function leastWidth(stages: readonly Stage[]): number {
  return stages.reduce((sum, { parts }) => sum + stageWidth(parts) + 5, 104);
}

function partsOf(blocks: readonly BlockInfo[], from: number, to: number, first: number, short: boolean): Part[] {
  const cuts = short ? [from, from + 1, ...(first > from + 1 && first < to - 1 ? [first] : []), to - 1, to] : Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return cuts.slice(1).map((end, i) => ({ from: cuts[i], to: end, title: titleOf(blocks, cuts[i], end) }));
}

function titleOf(blocks: readonly BlockInfo[], from: number, to: number): string {
  const { name, title, parameters } = blocks[from];
  if (to - from > 1) return `${name} to ${blocks[to - 1].name}`;
  return `${name}: ${title}; ${parameters.toLocaleString()} parameters`;
}
