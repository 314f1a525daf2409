/**
 * What was tuned, as text to keep: the winner of each class of problems on one adapter with one driver. A table made
 * with other shaders or for another adapter does not hold; neither does one that cannot be read. None of that is an
 * error: the caller is told in a sentence, and what is shipped is used.
 */
import { shippedChoices } from '../gpu/shipped';
import type { AdapterFacts, Gpu } from '../gpu/gpu';
import { hashText, shadersHash } from '../kernels/sources';
import type { TuneResult } from './report';

const FORMAT = 'graft-tuning-1';

/** One class of problems. Times are milliseconds of one run; null where the default gave no right numbers. */
export interface TableEntry {
  readonly candidate: string;
  readonly ms: number;
  readonly default: string;
  readonly defaultMs: number | null;
  readonly gflops: number;
}

export type TableEntries = ReadonlyMap<string, TableEntry>;

/** Where tables are kept, by the adapter's key. Reading and writing never throw; `warn` gets one sentence. */
export interface TuningStore {
  /** The text that is kept, or undefined. */
  load(key: string, warn: Warn): Promise<string | undefined>;
  /** Replaces what is kept by what `change` makes of it, with no other writer in between. False when it was not kept. */
  update(key: string, change: (text: string | undefined) => string | undefined, warn: Warn): Promise<boolean>;
}

export type Warn = (message: string) => void;

/** What the table of an adapter is kept under: letters, digits and dashes, of which the adapter can be recognised. */
export function adapterKey(adapter: AdapterFacts): string {
  const name = adapter.description || [adapter.vendor, adapter.architecture, adapter.device].filter(Boolean).join(' ') || 'unnamed adapter';
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 60);
  return `${slug}-${hashText(JSON.stringify(identityOf(adapter)))}`;
}

/** The entries for the class of each result. */
export function entriesOf(results: readonly TuneResult[]): TableEntries {
  const round = (value: number): number => Number(value.toPrecision(4));
  return new Map(results.map(({ key, candidate, ms, defaultCandidate, defaultMs, gflops }) => [
    key,
    { candidate, ms: round(ms), default: defaultCandidate, defaultMs: defaultMs === null ? null : round(defaultMs), gflops: round(gflops) },
  ]));
}

export function serializeTable(adapter: AdapterFacts, entries: TableEntries): string {
  const sorted = Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ format: FORMAT, shaders: shadersHash(), adapter: identityOf(adapter), entries: sorted }, null, 1)}\n`;
}

/**
 * The entries of a kept table, or why it does not hold: `reason` completes "the tuning in X …". Entries that are no
 * entries are left out.
 */
export function parseTable(text: string, adapter: AdapterFacts): { readonly entries: TableEntries } | { readonly reason: string } {
  let table: unknown;
  try {
    table = JSON.parse(text);
  } catch {
    return { reason: 'is damaged' };
  }
  if (!isRecord(table) || !isRecord(table.entries)) return { reason: 'is damaged' };
  if (table.format !== FORMAT) return { reason: `is of another version of Graft (${String(table.format).slice(0, 40)})` };
  if (JSON.stringify(table.adapter) !== JSON.stringify(identityOf(adapter))) return { reason: 'is for another adapter or driver' };
  if (table.shaders !== shadersHash()) return { reason: 'was made with other kernels than these' };
  return { entries: new Map(Object.entries(table.entries).flatMap(([key, value]) => (isEntry(value) ? [[key, value] as const] : []))) };
}

/**
 * Lets a device use what was tuned for it, over what is shipped. Returns how many entries there were.
 * @param warn gets one sentence when what is kept does not hold or cannot be read
 */
export async function applyTuning(gpu: Gpu, store: TuningStore, warn: Warn): Promise<number> {
  const entries = await loadEntries(gpu.adapter, store, warn);
  gpu.choices.adopt([...entries].map(([key, { candidate }]) => [key, candidate] as const));
  return entries.size;
}

const applied = new WeakMap<Gpu, Promise<number>>();

/** The same, the first time it is asked for a device: what `load` does to the device it opens. */
export function applyTuningOnce(gpu: Gpu, store: TuningStore, warn: Warn): Promise<number> {
  const known = applied.get(gpu) ?? applyTuning(gpu, store, warn);
  applied.set(gpu, known);
  return known;
}

/** What a store keeps for an adapter; empty when that does not hold. */
export async function loadEntries(adapter: AdapterFacts, store: TuningStore, warn: Warn): Promise<TableEntries> {
  const text = await store.load(adapterKey(adapter), warn);
  return text === undefined ? new Map() : held(text, adapter, warn);
}

/** Adds results to what a store keeps. False when that was not possible; `warn` said why. */
export async function keepResults(adapter: AdapterFacts, store: TuningStore, results: readonly TuneResult[], warn: Warn): Promise<boolean> {
  return store.update(
    adapterKey(adapter),
    (text) => {
      const before = text === undefined ? new Map<string, TableEntry>() : held(text, adapter, () => undefined);
      return serializeTable(adapter, new Map([...before, ...entriesOf(results)]));
    },
    warn,
  );
}

/** Forgets what a store keeps for an adapter; the device goes back to what is shipped. */
export async function forgetTuning(gpu: Gpu, store: TuningStore, warn: Warn): Promise<boolean> {
  const done = await store.update(adapterKey(gpu.adapter), () => undefined, warn);
  gpu.choices.clear();
  gpu.choices.adopt(shippedChoices(gpu.adapter));
  return done;
}

/** Names the choices a device makes: equal for equal tables, so that a run can record which one it used. */
export function choicesHash(gpu: Gpu): string {
  return hashText(JSON.stringify([...gpu.choices.table].sort(([a], [b]) => (a < b ? -1 : 1))));
}

function held(text: string, adapter: AdapterFacts, warn: Warn): TableEntries {
  const table = parseTable(text, adapter);
  if ('entries' in table) return table.entries;
  warn(`the tuning kept for this adapter ${table.reason}; it is ignored ('graft tune' makes a new one)`);
  return new Map();
}

/** What tells adapters and drivers apart; descriptions name the driver's version where the driver does. */
function identityOf({ vendor, architecture, device, description }: AdapterFacts): Readonly<Record<string, string>> {
  return { vendor, architecture, device, description };
}

function isEntry(value: unknown): value is TableEntry {
  return isRecord(value) && typeof value.candidate === 'string' && typeof value.ms === 'number' && typeof value.default === 'string'
    && (value.defaultMs === null || typeof value.defaultMs === 'number') && typeof value.gflops === 'number';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
