/** What a finished run leaves in its folder: the model, metrics.json and report.html. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraftError } from '../errors';
import type { ImageCollection, SkippedImage } from '../data/collection';
import { metricsOf } from '../report/metrics';
import { renderReport, shownMistakes } from '../report/report';
import { networkParts, trainingFacts, type Comparison, type RunRecord } from '../report/runRecord';
import { saveModel } from '../node/modelDir';
import { packageVersion } from '../node/packageRoot';
import { thumbnail } from '../node/thumbnail';
import { writeFileAtomic } from '../node/writeFile';
import type { Classifier } from '../transfer/classifier';
import type { Evaluation, FineTuneResult } from '../transfer/types';

export interface Outcome {
  readonly classifier: Classifier;
  readonly data: ImageCollection;
  /** What the images are called. */
  readonly name: string;
  readonly skipped: readonly SkippedImage[];
  readonly notes: readonly string[];
  readonly result: FineTuneResult;
  readonly test: Evaluation | null;
  readonly comparison?: Comparison;
}

/** Writes all four files. A disk that has become full or read-only since the run began must not cost them: they go elsewhere then. */
export async function writeOutcome(dir: string, outcome: Outcome, { force }: { readonly force: boolean }): Promise<void> {
  try {
    await writeFiles(dir, outcome, force);
  } catch (error) {
    const other = await mkdtemp(join(tmpdir(), 'graft-model-')).catch(() => undefined);
    if (other === undefined) throw error;
    try {
      await writeFiles(other, outcome, false);
    } catch {
      await rm(other, { recursive: true, force: true });
      throw error;
    }
    throw new GraftError(`${(error as Error).message.replace(/\.$/, '')}; the model and its report were saved to ${other} instead.`, { cause: error });
  }
}

/** The model first, as it is what cannot be made again. */
async function writeFiles(dir: string, outcome: Outcome, force: boolean): Promise<void> {
  const { result, test } = outcome;
  const run = runRecord(outcome);
  await saveModel(outcome.classifier, dir, { training: trainingFacts(run), force });
  await writeFileAtomic(join(dir, 'metrics.json'), `${JSON.stringify(metricsOf(run), null, 1)}\n`);
  const pictures = new Map<string, string>();
  for (const { name, path } of shownMistakes({ result, test })) {
    const picture = path === undefined ? undefined : await thumbnail(path, 160).catch(() => undefined);
    if (picture !== undefined) pictures.set(name, picture);
  }
  await writeFileAtomic(join(dir, 'report.html'), renderReport(run, pictures));
}

function runRecord({ classifier, data, name, skipped, notes, result, test, comparison }: Outcome): RunRecord {
  const { network, classes, preprocessing, base } = classifier;
  const { architecture, width } = network;
  return {
    version: packageVersion(),
    created: new Date().toISOString(),
    data: { name, report: data.report, skipped },
    model: { architecture, width, base, classes, preprocessing, parts: networkParts(network, result.trained) },
    result, test, notes,
    ...(comparison && { comparison }),
  };
}
