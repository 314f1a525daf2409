/** Numbers as people read them. */

/** `97.5 %`; a share of exactly one is `100 %`. */
export function percent(share: number): string {
  // Rounded down near one, so that a model with one mistake in ten thousand is not called perfect.
  const value = share < 1 && share > 0.999 ? Math.floor(share * 1000) / 10 : share * 100;
  return `${value.toFixed(value === 100 ? 0 : 1)} %`;
}

/** `11,181,642` */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 image`, `2 images`, `2 classes`, `2 copies`, `2 batches`, `2 epochs`. */
export function counted(value: number, noun: string): string {
  // After an o, as in epoch, `ch` is a k.
  const plural = /(s|sh|[^o]ch|x)$/.test(noun) ? `${noun}es` : /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** `45 ms`, `0.8 s`, `42 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** `44.7 MB` in units of 2^20 bytes. */
export function bytes(value: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power === 0 ? scaled : scaled.toFixed(scaled < 99.95 ? 1 : 0)} ${units[power]}`;
}

/** Four digits that matter: `0.01234`, `1.235`, `1.0e-7`. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
}
