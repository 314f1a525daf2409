/**
 * `report.html`: one page that says what was trained on what and how well it does. Self-contained: no script, no
 * request, pictures as data URIs; the page's own policy forbids anything else.
 */
import type { Evaluation, FineTuneResult, Prediction, Recipe } from '../transfer/types';
import { lineChart, type Series } from './charts';
import { classTable, confusionMatrix } from './confusion';
import { bytes, count, counted, duration, percent, short } from './format';
import { html, trusted, type Html } from './html';
import { memoryPhrase } from './memory';
import type { NetworkPart, RunRecord } from './runRecord';
import { commonestShare, mistakes, wilsonInterval } from './statistics';
import { STYLE } from './style';

/** Mistakes shown with their pictures. */
export const MOST_MISTAKES = 24;

/** Data URIs of pictures by image name. */
export type Pictures = ReadonlyMap<string, string>;

/** The mistakes a report will show, so that their pictures can be made. */
export function shownMistakes(run: Pick<RunRecord, 'result' | 'test'>): Prediction[] {
  const judged = run.test ?? run.result.validation;
  return judged ? mistakes(judged).slice(0, MOST_MISTAKES) : [];
}

/** The whole page. */
export function renderReport(run: RunRecord, pictures: Pictures = new Map()): string {
  const { data, model, result, test } = run;
  const judged = test ?? result.validation;
  const kind = test ? 'test' : 'validation';
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';img-src data:;style-src 'unsafe-inline'">
<title>${data.name}: fine-tuning report</title><style>${trusted(STYLE)}</style></head><body><main>
<header class="head"><div><p class="eyebrow">Graft fine-tuning report</p><h1>${data.name}</h1><p>${summary(run)}</p></div>
${judged && html`<p class="headline"><b>${percent(judged.accuracy)}</b><span>of ${counted(judged.count, `${kind} image`)} right<br><span class="quiet">95 % interval ${interval(judged)}</span></span></p>`}</header>
${banner(result)}${facts(run, judged)}${comparison(run)}
<section><h2>Training</h2>${curves(result)}${historyTable(result)}</section>
<section><h2>What was trained, what was held</h2>${network(model.parts)}<p>${trainedSentence(result)}</p></section>
${judged && html`<section><h2>Confusion on ${kind} images</h2>${confusionMatrix(judged, model.classes)}</section>
<section><h2>Worst mistakes</h2>${worst(judged, model.classes, pictures)}</section>
<section><h2>Classes</h2>${classTable(judged, model.classes)}</section>`}
<div class="two"><section><h2>Images</h2>${dataReport(run)}</section><section><h2>Recipe</h2>${recipeTable(run)}</section></div>
<section><h2>To use the model</h2><pre>graft predict MODEL image.jpg</pre><pre>import { load, predictFiles } from 'graft-gpu';
const model = await load('MODEL');
for await (const { path, top } of predictFiles(model, ['image.jpg'])) console.log(path, top[0]);</pre><p class="quiet">MODEL is the folder this report lies in.</p></section>
<footer>Made by Graft ${run.version} on ${run.created.slice(0, 16).replace('T', ' ')} UTC, on ${result.adapter}.</footer>
</main></body></html>
`.text;
}

const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = {
  resnet18: 'ResNet-18', resnet34: 'ResNet-34', resnet50: 'ResNet-50', resnet101: 'ResNet-101', resnet152: 'ResNet-152',
  resnext50_32x4d: 'ResNeXt-50 32x4d', wide_resnet50_2: 'Wide ResNet-50-2',
};

/** `ResNet-18`; with its width where that is not the published one. */
export function architectureTitle({ architecture, width }: { readonly architecture: string; readonly width: number }): string {
  return `${ARCHITECTURE_NAMES[architecture] ?? architecture}${width === 64 ? '' : ` of width ${width}`}`;
}

/** What a plan trains, as a phrase. */
export function planPhrase(plan: string): string {
  return plan === 'head' ? 'the last layer' : plan === 'full' ? 'all layers' : `${plan} and what follows it`;
}

function summary({ model, result }: RunRecord): string {
  const { train, validation } = result.images;
  const held = validation > 0 ? `, ${counted(validation, 'image')} held out to choose the best epoch` : '';
  const from = model.base === null ? 'from random weights' : `from ${model.base}`;
  return `${architectureTitle(model)} ${from}: ${planPhrase(result.recipe.plan)} trained on ${counted(train, 'image')} in ${counted(model.classes.length, 'class')}${held}.`;
}

function interval({ accuracy, count: images }: Evaluation): string {
  const [low, high] = wilsonInterval(accuracy, images);
  return `${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)} %`;
}

function banner({ ended, reason, history, recipe }: FineTuneResult): Html | false {
  if (ended === 'diverged') return html`<p class="banner"><b>Training diverged.</b> ${reason} The best weights so far were kept.</p>`;
  if (ended === 'interrupted') return html`<p class="banner"><b>Training was interrupted</b> after ${history.length} of ${counted(recipe.epochs, 'epoch')}. The best weights so far were kept.</p>`;
  return false;
}

function facts({ result, test }: RunRecord, judged: Evaluation | null): Html {
  const { history, recipe, bestEpoch, ended, seconds, peakBytes, memory, adapter, parameters, validation } = result;
  const all = parameters.trainable.elements + parameters.frozen.elements;
  const fact = (term: string, value: string, more?: string | false | null): Html => html`<div><dt>${term}</dt><dd>${value}${more && html`<small>${more}</small>`}</dd></div>`;
  return html`<dl class="facts">${test && validation && fact('Validation accuracy', percent(validation.accuracy), `${counted(validation.count, 'image')}`)}
${judged && fact('Always naming the commonest class', percent(commonestShare(judged)), 'would be right')}
${fact('Best epoch', `${bestEpoch} of ${recipe.epochs}`, ended === 'early' && `stopped after ${history.length}: ${recipe.patience} without a better one`)}
${fact('Trained parameters', count(parameters.trainable.elements), `${percent(all === 0 ? 0 : parameters.trainable.elements / all)} of ${count(all)}`)}
${fact('Time', duration(seconds), result.features && `features: ${count(result.features.computed)} computed, ${count(result.features.reused)} reused`)}
${fact('GPU memory', bytes(peakBytes), `at most; ${bytes(memory.estimate)} expected`)}
${fact('Adapter', adapter)}</dl>`;
}

function comparison({ comparison: other, result, test }: RunRecord): Html | false {
  if (!other) return false;
  const [a, b] = [test ?? result.validation, other.test ?? other.result.validation];
  if (!a || !b) return false;
  const row = (name: string, { accuracy }: Evaluation, style: string): Html => html`<div class="${style}"><span>${name}</span><span class="track"><span style="width:${(accuracy * 100).toFixed(1)}%"></span></span><b>${percent(accuracy)}</b></div>`;
  const series: Series[] = [
    { name: 'fine-tuned', values: result.history.map((e) => e.validationAccuracy), style: 'first' },
    { name: other.name, values: other.result.history.map((e) => e.validationAccuracy), style: 'second' },
  ];
  const judged = test && other.test ? 'test' : 'validation';
  return html`<section><h2>Fine-tuned beside ${other.name}</h2>
<div class="compare">${row('fine-tuned', a, '')}${row(other.name, b, 'other')}</div>
<p class="quiet">Accuracy on the same ${counted(a.count, `${judged} image`)}: the same network, the same training images, ${result.history.length === other.result.history.length ? `the same ${counted(result.history.length, 'epoch')}` : `${result.history.length} and ${other.result.history.length} epochs`}, in ${duration(result.seconds)} and ${duration(other.result.seconds)}.</p>
<div class="charts">${lineChart({ title: 'Validation accuracy', series, format: percentTick, range: [0, 1] })}</div></section>`;
}

function percentTick(value: number): string {
  return `${Number((value * 100).toFixed(1))} %`;
}

function curves({ history, bestEpoch }: FineTuneResult): Html {
  const validated = history.some((e) => e.validationLoss !== null);
  const loss: Series[] = [{ name: 'training', values: history.map((e) => e.trainLoss), style: 'first' }];
  if (validated) loss.push({ name: 'validation', values: history.map((e) => e.validationLoss), style: 'second' });
  const accuracy: Series[] = [{ name: 'validation', values: history.map((e) => e.validationAccuracy), style: 'second' }];
  return html`<div class="charts">${lineChart({ title: 'Loss', series: loss, marked: bestEpoch })}${validated && lineChart({ title: 'Accuracy', series: accuracy, format: percentTick, range: [0, 1], marked: bestEpoch })}</div>`;
}

function historyTable({ history, bestEpoch }: FineTuneResult): Html {
  const rows = history.map((e) => html`<tr><td>${e.epoch}${e.epoch === bestEpoch && ' (best)'}</td><td>${e.trainLoss.toFixed(4)}</td><td>${e.validationLoss?.toFixed(4) ?? ''}</td><td>${e.validationAccuracy === null ? '' : percent(e.validationAccuracy)}</td><td>${short(e.lr)}</td><td>${duration(e.seconds)}</td></tr>`);
  return html`<details><summary>Every epoch as numbers</summary><div class="scroll"><table><thead><tr><th>epoch</th><th>loss</th><th>validation loss</th><th>accuracy</th><th>learning rate</th><th>time</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

function network(parts: readonly NetworkPart[]): Html {
  return html`<ol class="network">${parts.map(({ name, parameters, trained }) => {
    const state = trained === 0 ? 'held' : trained === parameters ? 'trained' : 'partly';
    return html`<li class="${state}"><b>${name}</b><span class="state">${state === 'partly' ? 'partly trained' : state}</span><small>${count(parameters)}</small></li>`;
  })}</ol>`;
}

function trainedSentence({ parameters, batchNorm, features, trained, recipe }: FineTuneResult): string {
  const { trainable, frozen } = parameters;
  const norms = batchNorm.held === batchNorm.total ? `all ${batchNorm.total} batch norms` : batchNorm.held === 0 ? `none of ${batchNorm.total} batch norms` : `${batchNorm.held} of ${batchNorm.total} batch norms`;
  const names = trained.length > 0 && trained.length <= 4 ? ` (${trained.join(', ')})` : '';
  const rest = frozen.tensors > 0 ? `${count(frozen.elements)} in ${counted(frozen.tensors, 'tensor')} ${recipe.precision === 'float16' ? 'were kept, rounded to float16' : 'kept every bit'}, and ` : '';
  return `${count(trainable.elements)} parameters in ${counted(trainable.tensors, 'tensor')} were trained${names}; ${rest}${norms} held their statistics.`
    + (features ? ' As nothing before the last layer changes, each image went through the network once.' : '');
}

function worst(judged: Evaluation, classes: readonly string[], pictures: Pictures): Html {
  const all = mistakes(judged);
  if (all.length === 0) return html`<p>None: every one of ${counted(judged.count, 'image')} was named right.</p>`;
  const shown = all.slice(0, MOST_MISTAKES);
  return html`<p class="quiet">${all.length > shown.length ? `The ${shown.length} surest of ${all.length} mistakes` : counted(all.length, 'mistake')}, the surest first. Some may be mistakes of the labels.</p>
<ul class="mistakes">${shown.map(({ name, label, predicted, confidence, labelProbability }) => {
    const picture = pictures.get(name);
    return html`<li>${picture?.startsWith('data:image/') ? html`<img src="${picture}" alt="">` : html`<span class="noimage">no picture</span>`}<div><span class="said">${classes[predicted]} <span class="num">${percent(confidence)}</span></span>is ${classes[label]} <span class="quiet num">${percent(labelProbability)}</span><span class="file">${name}</span></div></li>`;
  })}</ul>`;
}

function dataReport({ data, model, result, test, notes }: RunRecord): Html {
  const { report } = data;
  const skipped = [...report.skipped, ...data.skipped];
  const list = (title: string, items: readonly Html[]): Html | false => items.length > 0 && html`<details${items.length <= 5 && trusted(' open')}><summary>${title}</summary><ul>${items.slice(0, 200)}${items.length > 200 && html`<li>and ${items.length - 200} more</li>`}</ul></details>`;
  const row = (name: string, value: string): Html => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
  return html`<table class="settings"><tbody>${row('files found', count(report.found))}${row('classes', model.classes.length <= 30 ? model.classes.join(', ') : count(model.classes.length))}${row('trained on', count(result.images.train))}${row('validated on', count(result.images.validation))}${test && row('tested on', count(test.count))}${row('left out', `${count(skipped.length)} unreadable, ${counted(report.duplicates.length, 'copy')}, ${count(report.conflicts.length)} under several labels`)}</tbody></table>
${list(counted(skipped.length, 'unreadable image'), skipped.map(({ path, reason }) => html`<li>${path}: ${reason}</li>`))}
${list(counted(report.duplicates.length, 'copy'), report.duplicates.map(({ path, of }) => html`<li>${path} is ${of}</li>`))}
${list(counted(report.warnings.length, 'warning'), report.warnings.map((text) => html`<li>${text}</li>`))}
${list(counted(notes.length, 'note'), notes.map((text) => html`<li>${text}</li>`))}`;
}

/** A recipe's settings as words, in the order of its documentation. */
export function recipeRows(recipe: Recipe): [string, string][] {
  const { optimizer, augment } = recipe;
  const rates = optimizer.name === 'sgd'
    ? `SGD, momentum ${optimizer.momentum ?? 0}${optimizer.nesterov ? ' (Nesterov)' : ''}, weight decay ${optimizer.weightDecay ?? 0}`
    : `AdamW, weight decay ${optimizer.weightDecay ?? 0.01}`;
  return [
    ['plan', `${recipe.plan} (${planPhrase(recipe.plan)})`],
    ['epochs', String(recipe.epochs)],
    ['batch size', String(recipe.batchSize)],
    ['optimiser', rates],
    ['learning rate', `${short(optimizer.lr)}, ${recipe.schedule}`],
    ['label smoothing', String(recipe.labelSmoothing)],
    ['gradient clipping', recipe.clipNorm === null ? 'none' : `norm ${recipe.clipNorm}`],
    ['batch norm of trained parts', recipe.bn === 'hold' ? 'holds its statistics' : 'follows the batch'],
    ['augmentation', augment === null ? 'none' : Object.keys(augment).map((key) => key.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`)).join(', ')],
    ['early stopping', recipe.patience === 0 ? 'none' : `after ${recipe.patience} epochs without a better one`],
    ['precision', recipe.precision === 'float16' ? 'float16 for what is not trained, with sums in float32; float32 for what is' : 'float32'],
    ['seed', String(recipe.seed)],
  ];
}

function recipeTable({ result, model }: RunRecord): Html {
  const { resizeSize, cropSize, interpolation } = model.preprocessing;
  const rows: [string, string][] = [...recipeRows(result.recipe), ['memory', memoryPhrase(result.recipe.batchSize, result.memory)], ['preprocessing', `shorter side to ${resizeSize} (${interpolation}), centre ${cropSize} x ${cropSize}`]];
  return html`<table class="settings"><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table>`;
}
