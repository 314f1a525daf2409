/** The terminal: colours where they are wanted, one live line that is rewritten in place, plain lines elsewhere. */

/** Colours only on a terminal that has them; https://no-color.org switches them off. */
const colourful = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code: number, end: number) => (text: string): string => (colourful ? `\u001b[${code}m${text}\u001b[${end}m` : text);

export const bold = paint(1, 22);
export const dim = paint(2, 22);
export const green = paint(32, 39);
export const yellow = paint(33, 39);

/** What the user types to run a command: `npm start` runs ours in a checkout. */
export const COMMAND = process.env.npm_lifecycle_event === 'start' ? 'npm start --' : 'graft';

const LIVE = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
/** Milliseconds between two drawings of the live line. */
const PACE = 100;

export class Terminal {
  #shown = false;
  #drawn = 0;

  /** Whether `live` shows anything. */
  get isLive(): boolean {
    return LIVE;
  }

  /** Its width in characters; plenty where output is no terminal. */
  get columns(): number {
    return process.stdout.columns ?? Infinity;
  }

  /** A line that stays. */
  line(text = ''): void {
    this.clear();
    process.stdout.write(`${text}\n`);
  }

  /** A line that the next one replaces; nothing where output is not a terminal. `text` may hold no line breaks. */
  live(text: string, { force = false }: { force?: boolean } = {}): void {
    const now = performance.now();
    if (!LIVE || (!force && now - this.#drawn < PACE)) return;
    this.#drawn = now;
    this.#shown = true;
    process.stdout.write(`\r\u001b[2K${clip(text, (process.stdout.columns ?? 80) - 1)}`);
  }

  /** Takes the live line away. */
  clear(): void {
    if (this.#shown) process.stdout.write('\r\u001b[2K');
    this.#shown = false;
  }

  /** A warning or note, beside the output. */
  note(text: string): void {
    this.clear();
    process.stderr.write(`${oneLine(text)}\n`);
  }
}

/** Cuts to `width` visible characters, colours kept whole. */
function clip(text: string, width: number): string {
  let visible = 0;
  return text.replace(/\u001b\[\d+m|./gsu, (piece) => (piece.length > 1 && piece.startsWith('\u001b') ? piece : visible++ < width ? piece : ''));
}

/** `━━━━━━━━────────`, of `width` characters. */
export function bar(share: number, width = 24): string {
  const done = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${green('━'.repeat(done))}${dim('─'.repeat(width - done))}`;
}

/** Messages come from files and libraries; on the terminal they are one line without control characters. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** Rows in columns, two spaces apart; `right` lists the columns that are set flush right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => row.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ').trimEnd());
}
