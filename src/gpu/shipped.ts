/**
 * Algorithms measured once, on adapters that many have, so that nobody has to tune there: what a device starts with.
 * Elsewhere, a GPU among them, each family's own order decides until someone tunes.
 */
import type { AdapterFacts } from './gpu';
import { LAVAPIPE } from './shipped/lavapipe';
import { SWIFTSHADER } from './shipped/swiftshader';

/** Candidate ids by `family class`. */
export type ShippedTable = Readonly<Record<string, string>>;

const TABLES: readonly (readonly [adapter: RegExp, table: ShippedTable])[] = [
  [/llvmpipe|lavapipe/i, LAVAPIPE],
  [/swiftshader/i, SWIFTSHADER],
];

/** What is shipped for an adapter, for `Choices.adopt`. */
export function shippedChoices({ architecture, device, description }: AdapterFacts): readonly (readonly [string, string])[] {
  const found = TABLES.find(([adapter]) => adapter.test(`${architecture} ${device} ${description}`));
  return Object.entries(found?.[1] ?? {});
}
