/** A stand-alone page from its template: title, facts and weights put where the template has marks for them. */
import { escapeHtml } from '../../src/report/html';
import type { PageFacts } from './facts';
import { pack } from './pack';

/** Marks in the template, in the order in which they come. */
const MARKS = ['<!--graft:title-->', '<!--graft:data-->'] as const;

/**
 * The whole page. Its data lie in script elements of types that no browser runs; text that came from people can close
 * neither them nor the title.
 */
export async function fillPage(template: string, facts: Omit<PageFacts, 'weights'>, weights: Uint8Array, stride: number): Promise<Blob> {
  const [head, middle, tail] = parts(template);
  const all: PageFacts = { ...facts, weights: { bytes: weights.length, stride } };
  const page: string[] = [head, escapeHtml(facts.project), middle, `<script id="facts" type="application/json">${json(all)}</script>\n`];
  for await (const text of pack(weights, stride)) page.push(`<script class="weights" type="text/plain">${text}</script>\n`);
  return new Blob([...page, tail], { type: 'text/html' });
}

function parts(template: string): readonly [string, string, string] {
  const [title, data] = MARKS.map((mark) => template.indexOf(mark));
  if (title === -1 || data < title) throw new Error('the template of the stand-alone page has no places for title and data: build the app again');
  return [template.slice(0, title), template.slice(title + MARKS[0].length, data), template.slice(data + MARKS[1].length)];
}

/** Without `<`, nothing in it ends a script element or begins a comment. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
