/** Answers that follow one another many times a second, calmed down for the eye. */

export interface Share {
  readonly name: string;
  readonly probability: number;
}

/** Each class's probability drawn a part of the way towards the new one. */
export function smoothed(before: readonly Share[] | null, now: readonly Share[], part: number): Share[] {
  const old = new Map(before?.map(({ name, probability }) => [name, probability]));
  return now.map(({ name, probability }) => {
    const was = old.get(name);
    return { name, probability: was === undefined ? probability : was + part * (probability - was) };
  });
}

/** How much likelier a class must be to pass the one above it: a part of its probability, and at least half a percent. */
const LEAD = 0.12;

/** The `most` likeliest, in the order they had, except where one has clearly passed another. */
export function steadyTop(before: readonly string[], now: readonly Share[], most: number): Share[] {
  const place = new Map(before.map((name, i) => [name, i]));
  if (before.length === 0) return [...now].sort((a, b) => b.probability - a.probability).slice(0, most);
  const left = [...now];
  const top: Share[] = [];
  while (top.length < most && left.length > 0) {
    const highest = Math.max(...left.map(({ probability }) => probability));
    const candidates = left.filter(({ probability }) => probability >= highest - Math.max(0.005, LEAD * highest));
    const pick = candidates.reduce((a, b) => {
      const [pa, pb] = [place.get(a.name) ?? Infinity, place.get(b.name) ?? Infinity];
      if (pa !== pb) return pa < pb ? a : b;
      return b.probability > a.probability ? b : a;
    });
    top.push(pick);
    left.splice(left.indexOf(pick), 1);
  }
  return top;
}

export interface Said {
  readonly name: string;
  readonly probability: number;
  /** Too unlikely, or too close to the next, to be relied on. */
  readonly unsure: boolean;
}

/** With two classes chance is a half, so more is asked of them than of many. */
export function verdict(shares: readonly Share[]): Said | null {
  if (shares.length === 0) return null;
  const [first, second] = [...shares].sort((a, b) => b.probability - a.probability);
  const enough = shares.length === 2 ? 0.7 : 0.5;
  return { ...first, unsure: shares.length > 1 && (first.probability < enough || first.probability - second.probability < 0.1) };
}
