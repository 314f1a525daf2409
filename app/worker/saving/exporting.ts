/** What leaves the studio as files: the model with its report, and the stand-alone page. Nothing here changes the model. */
import { zip, type Zippable } from 'fflate';
import { version } from '../../../package.json';
import {
  DataError, createDataset, decodeBlob, evaluate, load, preprocess, serializeSafetensors, type Classifier, type Prediction,
} from '../../../src/index';
import { metricsOf } from '../../../src/report/metrics';
import { planPhrase, renderReport, shownMistakes } from '../../../src/report/report';
import { networkParts, trainingFacts, type RunRecord } from '../../../src/report/runRecord';
import type { ClassInfo, HalfCheck, ImageId, RunState } from '../../shared/protocol';
import { fillPage } from '../../standalone/fill';
import { modelReadme } from './modelReadme';
import { smallPicture } from './smallPicture';

/** What there is to export. */
export interface Trained {
  readonly classifier: Classifier;
  /** The project's name. */
  readonly project: string;
  /** The run that made it; null where that is not known any more. */
  readonly run: Extract<RunState, { readonly kind: 'ended' }> | null;
  /** The project's, for the pictures' names. */
  readonly classes: readonly ClassInfo[];
  readonly picture: (id: ImageId) => Promise<Blob>;
}

/** Side of the pictures in a report, in pixels. */
const PICTURE = 160;
/** Held-out pictures that rounded weights are tried on, at most: enough to see a difference that matters. */
const TRIED = 256;

/** `model.safetensors`, `model.json`, how to load them, and, where the run is known, its report and figures. */
export async function exportModel(trained: Trained): Promise<Blob> {
  const { classifier, project } = trained;
  const record = recordOf(trained);
  const model = await classifier.toFiles(record && trainingFacts(record));
  const files: Zippable = {
    // Weights hardly shrink: stored, they are zipped at once.
    'model.safetensors': [model['model.safetensors'], { level: 0 }],
    'model.json': utf8(model['model.json']),
    'README.md': utf8(modelReadme(classifier, project, version)),
  };
  if (record) {
    files['report.html'] = utf8(await reportText(record, trained));
    files['metrics.json'] = utf8(`${JSON.stringify(metricsOf(record), null, 1)}\n`);
  }
  return new Promise((resolve, reject) => {
    zip(files, { level: 6 }, (error, bytes) => (error ? reject(error) : resolve(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/zip' }))));
  });
}

/** The report alone: one HTML file. @throws DataError when the run is not known. */
export async function exportReport(trained: Trained): Promise<Blob> {
  const record = recordOf(trained);
  if (!record) throw new DataError('there is no finished run to report on; train first');
  return new Blob([await reportText(record, trained)], { type: 'text/html' });
}

/**
 * One HTML file that classifies pictures offline. `template` is the text of the site's `files/standalone.html`; with
 * `half` the weights are rounded to float16, which halves most of the file.
 */
export async function exportPage({ classifier, project, run }: Trained, template: string, { half = false }: { readonly half?: boolean } = {}): Promise<Blob> {
  const { training: _training, ...card } = classifier.card();
  const heldOut = run?.validation;
  const facts = {
    format: 'graft-page-1', project, version, created: new Date().toISOString(), card: { ...card, classes: classifier.classes }, half,
    training: run && {
      trained: run.result.images.train,
      heldOut: heldOut ? { count: heldOut.count, accuracy: heldOut.accuracy } : null,
      part: planPhrase(run.result.recipe.plan),
    },
  } as const;
  return fillPage(template, facts, await weightsOf(classifier, half), half ? 2 : 4);
}

/** What rounding to float16 would change on held-out pictures; null where there are none to try. */
export async function checkHalf({ classifier, run, picture }: Trained): Promise<HalfCheck | null> {
  if (!run?.validation || run.validation.count === 0) return null;
  const tried = new Map<string, Prediction>(run.validation.predictions.slice(0, TRIED).map((one) => [one.name, one]));
  const rounded = await load(new Blob([await weightsOf(classifier, true)]), { gpu: classifier.gpu, card: classifier.card() });
  try {
    const items = [...tried.values()].map(({ name, label }) => ({ name, label, hash: name }));
    const dataset = createDataset(rounded.classes, items, async ({ name }, preprocessing) => preprocess(await decodeBlob(await picture(name), name), preprocessing));
    const { predictions } = await evaluate(rounded, dataset, { batchSize: 16 });
    const pairs = predictions.flatMap((after) => {
      const before = tried.get(after.name);
      return before ? [{ before, after }] : [];
    });
    return {
      images: pairs.length,
      rightBefore: pairs.filter(({ before }) => before.label === before.predicted).length,
      rightAfter: pairs.filter(({ after }) => after.label === after.predicted).length,
      changed: pairs.filter(({ before, after }) => before.predicted !== after.predicted).length,
    };
  } finally {
    rounded.dispose();
  }
}

/** The run as the report and the model card tell it: pictures by their files' names. */
function recordOf({ classifier, project, run, classes }: Trained): RunRecord | undefined {
  if (!run) return undefined;
  const { network, preprocessing, base } = classifier;
  const { validation } = run;
  const names = uniqueNames(classes);
  return {
    version,
    created: new Date().toISOString(),
    data: {
      name: project, skipped: [],
      report: { found: run.result.images.train + run.result.images.validation, skipped: [], duplicates: [], conflicts: [], warnings: [] },
    },
    model: {
      architecture: network.architecture, width: network.width, base, classes: run.classes, preprocessing,
      parts: networkParts(network, run.result.trained),
    },
    // `path` keeps the id, by which the picture is found.
    result: { ...run.result, validation: validation && { ...validation, predictions: validation.predictions.map((one) => ({ ...one, name: names.get(one.name) ?? one.name, path: one.name })) } },
    test: null,
    notes: run.notes,
  };
}

/** A name for each picture. Camera pictures of two classes may be called alike; a report knows pictures by name. */
function uniqueNames(classes: readonly ClassInfo[]): ReadonlyMap<ImageId, string> {
  const taken = new Set<string>();
  const names = new Map<ImageId, string>();
  for (const { id, name } of classes.flatMap(({ images }) => images)) {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name} (${i})`;
    taken.add(free);
    names.set(id, free);
  }
  return names;
}

async function reportText(record: RunRecord, { picture }: Trained): Promise<string> {
  const pictures = new Map<string, string>();
  for (const { name, path } of shownMistakes(record)) {
    // A picture that was removed since, or that the browser cannot draw: the report says that there is none.
    const uri = path === undefined ? undefined : await picture(path).then((blob) => smallPicture(blob, PICTURE)).catch(() => undefined);
    if (uri !== undefined) pictures.set(name, uri);
  }
  return renderReport(record, pictures);
}

async function weightsOf(classifier: Classifier, half: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const state = await classifier.network.stateDict();
  return serializeSafetensors(state, { metadata: { format: 'pt' }, dtype: half ? 'F16' : 'F32' });
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
