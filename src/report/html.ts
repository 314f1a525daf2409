/** HTML from templates in which every inserted text is escaped, so that a folder's name can never become markup. */

/** Markup that is safe as it stands. Only `html` and `trusted` make it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Insertable = string | number | Html | null | undefined | false | readonly Insertable[];

/** A template: strings and numbers are escaped, lists joined, null, undefined and false left out. */
export function html(parts: TemplateStringsArray, ...values: Insertable[]): Html {
  return new Html(parts.map((part, i) => (i === 0 ? part : insert(values[i - 1]) + part)).join(''));
}

/** Text of our own that is markup already: a style sheet, for one. Never of a user's. */
export function trusted(text: string): Html {
  return new Html(text);
}

function insert(value: Insertable): string {
  if (value instanceof Html) return value.text;
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeHtml(value);
  return value.map(insert).join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for an element or a quoted attribute. Control characters, which HTML does not allow, become U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]).replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\ufffd');
}
