/** The report: names are text and never markup, nothing is requested, and it holds for two classes and for many. */
import { describe, expect, it } from 'vitest';
import { lineChart, ticks } from '../src/report/charts';
import { bytes, count, counted, duration, percent } from '../src/report/format';
import { escapeHtml, html } from '../src/report/html';
import { metricsOf } from '../src/report/metrics';
import { MOST_MISTAKES, renderReport, shownMistakes } from '../src/report/report';
import type { RunRecord } from '../src/report/runRecord';
import { classScores, commonestShare, confusedPairs, wilsonInterval } from '../src/report/statistics';
import type { Evaluation, FineTuneResult, Prediction } from '../src/transfer/types';

/** `perClass` images of each class, of which one in three is taken for the next class. */
function evaluation(classes: number, perClass = 6): Evaluation {
  const predictions: Prediction[] = [];
  const confusion = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (let label = 0; label < classes; label++) {
    for (let i = 0; i < perClass; i++) {
      const predicted = i % 3 === 0 ? (label + 1) % classes : label;
      confusion[label][predicted]++;
      predictions.push({ name: `c${label}/${i}.png`, label, predicted, confidence: 0.5 + i / 100, labelProbability: predicted === label ? 0.5 + i / 100 : 0.1 });
    }
  }
  const hits = predictions.filter(({ label, predicted }) => label === predicted).length;
  return { count: predictions.length, loss: 0.7, accuracy: hits / predictions.length, confusion, predictions };
}

function record({ classes = ['cat', 'dog'], name = 'photos', result = {}, ...rest }: { classes?: readonly string[]; name?: string; result?: Partial<FineTuneResult> } & Partial<Omit<RunRecord, 'result'>> = {}): RunRecord {
  const full: FineTuneResult = {
    recipe: {
      plan: 'head', epochs: 3, batchSize: 32, optimizer: { name: 'adamw', lr: 0.01 }, schedule: 'cosine', labelSmoothing: 0,
      clipNorm: null, bn: 'hold', augment: null, patience: 10, seed: 0, precision: 'float32',
    },
    history: [1, 2, 3].map((epoch) => ({ epoch, lr: 0.01, trainLoss: 1 / epoch, validationLoss: 1.1 / epoch, validationAccuracy: 0.6 + epoch / 100, seconds: 1.5 })),
    bestEpoch: 3, ended: 'finished', reason: null, validation: evaluation(classes.length),
    parameters: { trainable: { tensors: 2, elements: 1026 }, frozen: { tensors: 60, elements: 11_176_512 } },
    trained: ['fc.weight', 'fc.bias'], batchNorm: { held: 20, total: 20 }, features: { computed: 10, reused: 2 },
    images: { train: 10, validation: 2 }, seconds: 4.5, peakBytes: 50 << 20, memory: { microBatch: 32, recompute: false, budget: null, estimate: 48 << 20 }, adapter: 'a software adapter', choices: '00000000',
    ...result,
  };
  return {
    version: '0.1.0', created: '2026-01-02T03:04:05.000Z',
    data: { name, report: { found: 14, skipped: [], duplicates: [], conflicts: [], warnings: [] }, skipped: [] },
    model: {
      architecture: 'resnet18', width: 64, base: 'resnet18-f37072fd', classes,
      preprocessing: { resizeSize: 256, cropSize: 224, interpolation: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] },
      parts: ['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'fc'].map((part) => ({ name: part, parameters: 1026, trained: part === 'fc' ? 1026 : 0 })),
    },
    result: full, test: null, notes: [], ...rest,
  };
}

const EVIL = `<img src=x onerror=alert(1)>"'&`;

describe('renderReport', () => {
  it('shows hostile names as text wherever a name comes in', () => {
    const judged = evaluation(2);
    const evil = { ...judged, predictions: judged.predictions.map((p) => ({ ...p, name: `${EVIL}${p.name}` })) };
    const page = renderReport(record({
      name: EVIL, classes: [EVIL, `</style><script>${EVIL}`], notes: [EVIL],
      result: { validation: evil, adapter: EVIL, ended: 'diverged', reason: EVIL },
      data: {
        name: EVIL, skipped: [{ path: EVIL, reason: EVIL }],
        report: { found: 3, skipped: [], duplicates: [{ path: EVIL, of: EVIL }], conflicts: [], warnings: [EVIL] },
      },
    }), new Map([[`${EVIL}c0/0.png`, `javascript:alert(1)`]]));
    expect(page).not.toMatch(/<img|<script|onerror=alert\(1\)>/);
    expect(page).not.toContain('javascript:');
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;');
  });

  it('asks for nothing outside of itself, and forbids it', () => {
    const page = renderReport(record(), new Map([['c0/0.png', 'data:image/webp;base64,AAAA']]));
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('<img src="data:image/webp;base64,AAAA" alt="">');
    const body = page.replace(/<meta http-equiv[^>]*>/, '');
    const addresses = [...body.matchAll(/(?:src|href)\s*=\s*["']?([^"'\s>]+)|url\(([^)]*)\)|@import/g)].map(([whole, address]) => address ?? whole);
    expect(addresses).toEqual(['data:image/webp;base64,AAAA']);
    expect(page).not.toMatch(/https?:\/\//);
  });

  it('says what was trained on what, and how well it does', () => {
    const page = renderReport(record());
    expect(page).toContain('ResNet-18 from resnet18-f37072fd: the last layer trained on 10 images in 2 classes');
    expect(page).toContain('<b>66.7 %</b>');
    expect(page).toContain('of 12 validation images right');
    expect(page).toContain('11,176,512 in 60 tensors kept every bit, and all 20 batch norms held');
    expect(page.match(/class="held"/g)).toHaveLength(5);
    expect(page.match(/class="trained"/g)).toHaveLength(1);
    expect(page).toContain('c0/0.png');
  });

  it('draws a table for few classes and a picture for many', () => {
    const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `kind ${i}`);
    const few = renderReport(record({ classes: names(20) }));
    expect(few).toContain('class="matrix"');
    expect(few).toContain('title="kind 0 taken for kind 1: 2 of 6"');
    const many = renderReport(record({ classes: names(60) }));
    expect(many).not.toContain('class="matrix"');
    expect(many).toContain('<title>kind 59 taken for kind 0: 2 of 6</title>');
    expect(many).toContain('The other 48 classes');
    const thousand = renderReport(record({ classes: names(1000) }));
    expect(thousand).toContain('Most often confused');
    expect(thousand.length).toBeLessThan(1_500_000);
  });

  it('tells of an interrupted or diverged run, and of one without validation', () => {
    expect(renderReport(record({ result: { ended: 'interrupted' } }))).toContain('Training was interrupted');
    expect(renderReport(record({ result: { ended: 'diverged', reason: 'the loss became NaN at step 7' } }))).toContain('NaN at step 7');
    const bare = renderReport(record({ result: { validation: null, history: [{ epoch: 1, lr: 0.1, trainLoss: 2, validationLoss: null, validationAccuracy: null, seconds: 1 }] } }));
    expect(bare).not.toContain('Confusion');
    expect(bare).toContain('>Loss<');
  });

  it('puts the comparison beside the result, both judged alike', () => {
    const { result } = record();
    const page = renderReport(record({ test: evaluation(2, 9), comparison: { name: 'from scratch', result, test: { ...evaluation(2, 9), accuracy: 0.25 } } }));
    expect(page).toContain('Fine-tuned beside from scratch');
    expect(page).toContain('<b>25.0 %</b>');
    expect(page).toContain('18 test images');
  });

  it('shows the surest mistakes first, and not endlessly many', () => {
    const shown = shownMistakes(record({ classes: Array.from({ length: 30 }, String) }));
    expect(shown).toHaveLength(MOST_MISTAKES);
    expect(shown.every((p, i) => p.label !== p.predicted && (i === 0 || shown[i - 1].confidence >= p.confidence))).toBe(true);
  });
});

describe('metrics.json', () => {
  it('is the run as plain JSON', () => {
    const metrics = metricsOf(record({ test: evaluation(2, 9) }));
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
    expect(metrics).toMatchObject({
      format: 'graft-metrics-1', bestEpoch: 3, ended: 'finished', model: { base: 'resnet18-f37072fd', parameters: { trained: 1026 } },
      validation: { images: 12, accuracy: 8 / 12, confusion: [[4, 2], [2, 4]] }, test: { images: 18 },
    });
    expect(metrics.validation?.predictions[0]).toEqual({ image: 'c0/0.png', label: 'cat', predicted: 'dog', confidence: 0.5, labelProbability: 0.1 });
  });
});

describe('statistics', () => {
  it('counts recall and precision, with nothing where there is nothing', () => {
    const confusion = [[3, 1, 0], [0, 2, 0], [0, 0, 0]];
    const scores = classScores({ confusion }, ['a', 'b', 'c']);
    expect(scores.map(({ recall }) => recall)).toEqual([0.75, 1, null]);
    expect(scores.map(({ precision }) => precision)).toEqual([1, 2 / 3, null]);
    expect(confusedPairs({ confusion })).toEqual([{ label: 0, predicted: 1, images: 1 }]);
    expect(commonestShare({ confusion })).toBe(4 / 6);
  });

  it("gives Wilson's interval", () => {
    const bounds = wilsonInterval(80 / 82, 82);
    expect(bounds[0]).toBeLessThan(80 / 82);
    // By definition, the shares whose own 95 % range just reaches what was counted.
    for (const p of bounds) expect((80 / 82 - p) ** 2).toBeCloseTo((1.959964 ** 2 * p * (1 - p)) / 82, 10);
    expect(wilsonInterval(1, 10)[1]).toBeCloseTo(1, 12);
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
});

describe('words and numbers', () => {
  it('reads well', () => {
    expect([0.045, 3.2, 59.7, 185, 7800].map(duration)).toEqual(['45 ms', '3.2 s', '1 min 00 s', '3 min 05 s', '2 h 10 min']);
    expect([percent(1), percent(0.9999), percent(0.5), percent(0)]).toEqual(['100 %', '99.9 %', '50.0 %', '0.0 %']);
    expect([count(11181642), counted(1, 'image'), counted(2, 'class'), counted(3, 'copy'), counted(2, 'batch'), counted(20, 'epoch')]).toEqual(['11,181,642', '1 image', '2 classes', '3 copies', '2 batches', '20 epochs']);
    expect([bytes(0), bytes(1536), bytes(50 << 20)]).toEqual(['0 bytes', '1.5 KB', '50.0 MB']);
  });

  it('has round numbers on axes', () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0.93, 0.987).length).toBeGreaterThanOrEqual(2);
    expect(ticks(1.2e-7, 4.4e-7).every((tick) => tick >= 1.2e-7 && tick <= 4.4e-7)).toBe(true);
  });

  it('escapes every insertion of a template, lists included', () => {
    expect(html`<p title="${'"'}">${['<', html`<b>${'&'}</b>`, null, false, 3]}</p>`.text).toBe('<p title="&quot;">&lt;<b>&amp;</b>3</p>');
    expect(escapeHtml('a\u0000b\u001b[31m')).toBe('a\ufffdb\ufffd[31m');
  });
});

describe('charts', () => {
  it.each([[0.02, 1.5], [0, 9000], [0.5, 4.1e9], [1e-7, 3.2e-7], [0, 2.5e12]])('labels from %s to %s fit the margin', (low, high) => {
    const chart = lineChart({ title: 'Loss', series: [{ name: 'training', values: [low, high], style: 'first' }] }).text;
    const labels = [...chart.matchAll(/text-anchor="end">([^<]*)</g)].map(([, label]) => label);
    expect(labels.length).toBeGreaterThan(2);
    for (const label of labels) expect(label.length).toBeLessThanOrEqual(6);
    expect(new Set(labels).size).toBe(labels.length);
  });
});
