/** Where a model goes wrong: the confusion matrix, the pairs most often confused, and each class's share. */
import type { Evaluation } from '../transfer/types';
import { count, percent } from './format';
import { html, type Html } from './html';
import { classScores, confusedPairs } from './statistics';

/** Up to so many classes, the matrix is a table with numbers. */
const TABLE = 20;
/** Up to so many it is a picture; beyond, only the confused pairs are told. */
const PICTURE = 200;

export function confusionMatrix(evaluation: Evaluation, classes: readonly string[]): Html {
  const matrix = classes.length <= TABLE ? table(evaluation, classes) : classes.length <= PICTURE ? picture(evaluation, classes) : html``;
  return html`${matrix}${pairs(evaluation, classes)}`;
}

function table({ confusion }: Evaluation, classes: readonly string[]): Html {
  return html`<div class="scroll"><table class="matrix">
<thead><tr><th class="corner"><span>true class &darr;</span><span>taken for &rarr;</span></th>${classes.map((name) => html`<th scope="col"><span title="${name}">${name}</span></th>`)}</tr></thead>
<tbody>${confusion.map((row, label) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    return html`<tr><th scope="row" title="${name(classes, label)}">${name(classes, label)}</th>${row.map((images, predicted) => {
      const share = total === 0 ? 0 : images / total;
      const kind = images === 0 ? 'none' : label === predicted ? 'right' : 'wrong';
      return html`<td class="${kind}${share > 0.5 ? ' strong' : ''}" style="--share:${Math.round(share * 100)}%" title="${name(classes, label)} taken for ${name(classes, predicted)}: ${images} of ${total}">${images === 0 ? '·' : images}</td>`;
    })}</tr>`;
  })}</tbody></table></div>`;
}

/** Many classes: a square a pair, darker for a larger share of the true class's images. */
function picture({ confusion }: Evaluation, classes: readonly string[]): Html {
  const n = classes.length;
  const cell = n <= 40 ? 15 : n <= 80 ? 11 : 6;
  const labelled = cell >= 11;
  const margin = labelled ? 6.2 * Math.min(18, Math.max(...classes.map(({ length }) => length))) + 10 : 8;
  const size = margin + n * cell + 2;
  const cells = confusion.flatMap((row, label) => {
    const total = row.reduce((sum, images) => sum + images, 0);
    return row.map((images, predicted) => images > 0 && html`<rect class="${label === predicted ? 'right' : 'wrong'}" x="${margin + predicted * cell}" y="${margin + label * cell}" width="${cell - 1}" height="${cell - 1}" opacity="${(0.2 + 0.8 * (images / total)).toFixed(2)}"><title>${classes[label]} taken for ${classes[predicted]}: ${images} of ${total}</title></rect>`);
  });
  const labels = labelled && classes.map((text, i) => {
    const at = margin + (i + 0.5) * cell;
    const cut = text.length > 18 ? `${text.slice(0, 17)}…` : text;
    return html`<text x="${margin - 4}" y="${at + 3}" text-anchor="end">${cut}</text><text transform="translate(${at + 3} ${margin - 4}) rotate(-90)">${cut}</text>`;
  });
  return html`<div class="scroll"><svg class="heat" width="${Math.ceil(size)}" height="${Math.ceil(size)}" viewBox="0 0 ${Math.ceil(size)} ${Math.ceil(size)}" role="img" aria-label="confusion matrix">
<rect class="ground" x="${margin}" y="${margin}" width="${n * cell}" height="${n * cell}"/>${cells}${labels}</svg></div>
<p class="quiet">Rows are true classes, columns what they were taken for; a darker square is a larger share of the row.</p>`;
}

function pairs(evaluation: Evaluation, classes: readonly string[]): Html | false {
  const all = confusedPairs(evaluation);
  if (all.length === 0) return false;
  const totals = evaluation.confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  return html`<h3>Most often confused</h3><ul class="pairs">${all.slice(0, 8).map(({ label, predicted, images }) => html`<li><b>${name(classes, label)}</b> taken for <b>${name(classes, predicted)}</b> <span class="quiet">${images} of ${totals[label]}</span></li>`)}</ul>`;
}

/** A row a class, the weakest first; long lists are folded. */
export function classTable(evaluation: Evaluation, classes: readonly string[]): Html {
  const scores = classScores(evaluation, classes).sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2) || b.images - a.images);
  const rows = scores.map(({ name: label, images, recall, precision }) => html`<tr><th scope="row">${label}</th><td>${count(images)}</td><td class="bar">${bar(recall)}</td><td class="bar">${bar(precision)}</td></tr>`);
  const whole = (body: readonly Html[]): Html => html`<div class="scroll"><table class="classes"><thead><tr><th>class</th><th>images</th><th>found<span class="quiet"> of its images</span></th><th>right<span class="quiet"> when it is named</span></th></tr></thead><tbody>${body}</tbody></table></div>`;
  if (rows.length <= 24) return whole(rows);
  return html`${whole(rows.slice(0, 12))}<details><summary>The other ${rows.length - 12} classes</summary>${whole(rows.slice(12))}</details>`;
}

function bar(share: number | null): Html {
  if (share === null) return html`<span class="quiet">none</span>`;
  return html`<span class="track"><span style="width:${(share * 100).toFixed(1)}%"></span></span> ${percent(share)}`;
}

function name(classes: readonly string[], index: number): string {
  return classes[index] ?? `class ${index}`;
}
