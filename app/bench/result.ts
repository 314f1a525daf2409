/** Results of the bench: the format that Node writes and `npm run bench:page` reads. */

export const FORMAT = 'graft-bench-1';

export interface Facts {
  readonly date: string;
  readonly commit: string | null;
  readonly system: string;
  readonly node: string | null;
  readonly browser?: string;
  readonly adapters: Readonly<Record<string, { readonly description?: string; readonly vendor?: string; readonly architecture?: string; readonly software?: boolean } | null>>;
  readonly versions: Readonly<Record<string, string>>;
}

export interface ResultSection {
  readonly facts: Facts;
}

export interface Result {
  readonly format: typeof FORMAT;
  readonly sections: Readonly<Record<string, ResultSection>>;
}

export const EMPTY: Result = { format: FORMAT, sections: {} };

/** A result from a file's text. @throws Error that says why it is none. */
export function parseResult(text: string, name: string): Result {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${name} is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  const { format, sections } = (value ?? {}) as Partial<Result>;
  if (format !== FORMAT) throw new Error(`${name} is no result of this bench: its format is ${JSON.stringify(format) ?? 'missing'}, and ${FORMAT} is read.`);
  if (typeof sections !== 'object' || sections === null || Object.values(sections).some((section) => typeof section?.facts?.versions !== 'object')) throw new Error(`${name} has no sections with facts: it was cut short, or changed.`);
  return { format, sections };
}
