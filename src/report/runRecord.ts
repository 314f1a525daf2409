/** All that a finished run has to tell: what the report draws and `metrics.json` lists. */
import type { DataReport, SkippedImage } from '../data/collection';
import type { Preprocessing } from '../data/preprocess';
import type { Module } from '../layers/module';
import { sizeOf } from '../hostTensor';
import type { Evaluation, FineTuneResult } from '../transfer/types';

/** A part of the network as one would draw it: the stem, a stage, the last layer. */
export interface NetworkPart {
  readonly name: string;
  readonly parameters: number;
  /** Of them. */
  readonly trained: number;
}

/** Another run over the same images, to compare with. */
export interface Comparison {
  /** `from scratch` */
  readonly name: string;
  readonly result: FineTuneResult;
  readonly test: Evaluation | null;
}

export interface RunRecord {
  /** Version of Graft. */
  readonly version: string;
  /** ISO 8601. */
  readonly created: string;
  readonly data: {
    /** What the images are called: their folder's name. */
    readonly name: string;
    readonly report: DataReport;
    /** Images whose damage showed only in decoding. */
    readonly skipped: readonly SkippedImage[];
  };
  readonly model: {
    readonly architecture: string;
    readonly width: number;
    readonly base: string | null;
    readonly classes: readonly string[];
    readonly preprocessing: Preprocessing;
    readonly parts: readonly NetworkPart[];
  };
  readonly result: FineTuneResult;
  /** On images of a test part, where there is one. */
  readonly test: Evaluation | null;
  readonly comparison?: Comparison;
  /** What was noticed on the way, one sentence each. */
  readonly notes: readonly string[];
}

/** The parts of a network by the first component of its parameters' names; `conv1` and `bn1` are the stem. */
export function networkParts(network: Module, trained: readonly string[]): NetworkPart[] {
  const chosen = new Set(trained);
  const parts = new Map<string, { parameters: number; trained: number }>();
  for (const [name, { shape }] of network.namedParameters()) {
    const first = name.split('.')[0];
    const part = first === 'conv1' || first === 'bn1' ? 'stem' : first;
    const total = parts.get(part) ?? { parameters: 0, trained: 0 };
    total.parameters += sizeOf(shape);
    if (chosen.has(name)) total.trained += sizeOf(shape);
    parts.set(part, total);
  }
  return [...parts].map(([name, total]) => ({ name, ...total }));
}

/** What a model card tells of a run. Nothing in it depends on the clock, so the same run gives the same card. */
export function trainingFacts({ version, data, model, result, test }: RunRecord): unknown {
  const { recipe, history, bestEpoch, ended, validation, images, adapter } = result;
  return {
    graft: version,
    data: { name: data.name, classes: model.classes.length, ...images },
    recipe, epochs: history.length, bestEpoch, ended,
    validationAccuracy: validation?.accuracy ?? null,
    testAccuracy: test?.accuracy ?? null,
    adapter,
  };
}
