/** A fixture's `args`: JSON of a stranger, read by name and type; what nobody asked for is an error. */
import { UsageError, suggest } from '../errors';

export class Args {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #asked = new Set<string>();
  readonly #nested: Args[] = [];

  /** `path` leads to this object, for messages: `args`, `args.optimizer`. */
  constructor(values: unknown, path = 'args') {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw new UsageError(`${path} must be a JSON object, got ${JSON.stringify(values)}`);
    }
    this.#values = values as Record<string, unknown>;
    this.#path = path;
  }

  /** Parses the metadata's text. @throws UsageError when it is not a JSON object. */
  static parse(text: string): Args {
    let values: unknown;
    try {
      values = JSON.parse(text);
    } catch (error) {
      throw new UsageError(`args is not JSON: ${(error as Error).message}`);
    }
    return new Args(values);
  }

  /** Whether a value is there; null, Python's None, counts as absent. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name) && this.#values[name] !== null;
  }

  /** Names of all values, for objects whose keys are free. */
  keys(): string[] {
    return Object.keys(this.#values);
  }

  number(name: string, fallback?: number): number {
    return this.#get(name, fallback, 'a number', (v) => typeof v === 'number');
  }

  integer(name: string, fallback?: number): number {
    return this.#get(name, fallback, 'a whole number', Number.isInteger as (v: unknown) => v is number);
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#get(name, fallback, 'true or false', (v) => typeof v === 'boolean');
  }

  text(name: string): string {
    return this.#get(name, undefined, 'a string', (v) => typeof v === 'string');
  }

  texts(name: string): string[] {
    return this.#get(name, undefined, 'a list of strings', (v): v is string[] => Array.isArray(v) && v.every((s) => typeof s === 'string'));
  }

  /** A list of whole numbers; a single one counts as a list of one, as in PyTorch. */
  integers(name: string, fallback?: readonly number[]): readonly number[] {
    const value = this.#get(name, fallback, 'a list of whole numbers', isIntegers);
    return typeof value === 'number' ? [value] : value;
  }

  numbers(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#get(name, fallback, 'a list of numbers', (v) => Array.isArray(v) && v.every((n) => typeof n === 'number'));
  }

  /** [height, width]; a single number stands for both, as in PyTorch. */
  pair(name: string, fallback?: readonly [number, number]): readonly [number, number] {
    const value = this.#get(name, fallback, '[height, width]', (v): v is number | [number, number] => isIntegers(v) && (typeof v === 'number' || v.length === 2));
    return typeof value === 'number' ? [value, value] : value;
  }

  /** One of `choices`. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.text(name);
    if ((choices as readonly string[]).includes(value)) return value as T;
    throw new UsageError(`${this.#path}.${name} is '${value}'.${suggest(value, choices)}`);
  }

  /** An object within. */
  object(name: string): Args {
    const nested = new Args(this.#get(name, undefined, 'an object', (v) => typeof v === 'object'), `${this.#path}.${name}`);
    this.#nested.push(nested);
    return nested;
  }

  /** Values nobody asked for, so that none is passed over in silence. @throws UsageError naming them. */
  finish(): void {
    const unknown = Object.keys(this.#values).filter((name) => !this.#asked.has(name));
    if (unknown.length > 0) {
      throw new UsageError(`${this.#path} has ${unknown.map((name) => `'${name}'`).join(', ')}, which this op does not take`);
    }
    for (const nested of this.#nested) nested.finish();
  }

  #get<T>(name: string, fallback: T | undefined, what: string, is: (value: unknown) => value is T): T;
  #get<T>(name: string, fallback: T | undefined, what: string, is: (value: unknown) => boolean): T;
  #get<T>(name: string, fallback: T | undefined, what: string, is: (value: unknown) => boolean): T {
    this.#asked.add(name);
    if (!this.has(name)) {
      if (fallback !== undefined) return fallback;
      throw new UsageError(`${this.#path}.${name} is missing; it must be ${what}`);
    }
    const value = this.#values[name];
    if (!is(value)) throw new UsageError(`${this.#path}.${name} must be ${what}, got ${JSON.stringify(value)}`);
    return value as T;
  }
}

function isIntegers(value: unknown): value is number | number[] {
  return Number.isInteger(value) || (Array.isArray(value) && value.every(Number.isInteger));
}
