/** Numbers as people read them. */

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** `5.8 MB`: units of a thousand, as download managers and file dialogs count. */
export function formatBytes(bytes: number): string {
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < UNITS.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[at]}`;
}

/** `1 picture`, `12 pictures`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

/** `11.7 million`, `25 000`. */
export function formatLarge(number: number): string {
  return number >= 1e6 ? `${(number / 1e6).toFixed(1)} million` : number.toLocaleString();
}

/** `today at 14:05`, `3 November 2026`. */
export function formatDate(milliseconds: number, now = Date.now()): string {
  const then = new Date(milliseconds);
  return then.toDateString() === new Date(now).toDateString()
    ? `today at ${then.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })}`
    : then.toLocaleDateString(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
}
