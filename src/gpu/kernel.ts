/**
 * A kernel: WGSL sources, an entry point and what was specialised. It knows its bindings by name and packs its `Params`.
 * Pipelines live with the device (see `Gpu`), keyed by the kernel.
 */
import { readFrom, reflect, specialise, type EntryPoint } from './wgsl';

export interface Specialisation {
  /** Named `const`/`alias` declarations to rewrite: register tiles, element types. Numbers become `u32` literals. */
  readonly spec?: Readonly<Record<string, string | number>>;
  /** WGSL `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** Every kernel and variant made so far, for the test that compiles them all on a device without a GPU. */
export const kernels = new Set<Kernel>();

export class Kernel {
  readonly name: string;
  readonly entry: string;
  readonly code: string;
  readonly constants: Readonly<Record<string, number>>;
  /** Unique per kernel and variant; the pipeline cache's key. */
  readonly key: string;
  readonly #sources: readonly string[];
  readonly #variants = new Map<string, Kernel>();
  readonly #inPlace = new Map<string, Kernel | undefined>();
  #reflection: EntryPoint | undefined;

  /** `sources` are concatenated: library files first. `key` only where name and specialisation do not tell kernels apart. */
  constructor(name: string, sources: readonly string[], entry: string, { spec = {}, constants = {} }: Specialisation = {}, key?: string) {
    this.name = name;
    this.entry = entry;
    this.constants = constants;
    this.#sources = sources;
    this.code = specialise(sources.join('\n'), spec);
    this.key = key ?? `${name} ${JSON.stringify([spec, constants])}`;
    kernels.add(this);
  }

  /** The same kernel with other tiles, types or overrides. Made once per distinct specialisation. */
  variant(options: Specialisation): Kernel {
    const key = JSON.stringify(options);
    let kernel = this.#variants.get(key);
    if (kernel === undefined) {
      kernel = new Kernel(this.name, this.#sources, this.entry, options);
      this.#variants.set(key, kernel);
    }
    return kernel;
  }

  /** The same kernel with what it reads from one binding, element by element, read from another that it writes. Undefined where it cannot be. */
  inPlace(read: string, written: string): Kernel | undefined {
    const key = `${this.key} ${read} in ${written}`;
    if (!this.#inPlace.has(key)) {
      const used = (name: string): boolean => this.reflection.bindings.some((binding) => binding.name === name);
      const code = used(read) && used(written) ? readFrom(this.code, read, written) : undefined;
      this.#inPlace.set(key, code === undefined ? undefined : new Kernel(this.name, [code], this.entry, { constants: this.constants }, key));
    }
    return this.#inPlace.get(key);
  }

  get reflection(): EntryPoint {
    return (this.#reflection ??= reflect(this.code, this.entry));
  }

  /** Writes `values` into `view` in the order of the shader's `Params`. A missing or unknown field throws. */
  packParams(values: Readonly<Record<string, number>>, view: DataView, offset: number): number {
    const { params } = this.reflection;
    params.forEach(({ name, type }, i) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${this.name}: Params.${name} was not given`);
      const at = offset + 4 * i;
      if (type === 'f32') view.setFloat32(at, value, true);
      else if (type === 'i32') view.setInt32(at, value, true);
      else view.setUint32(at, value, true);
    });
    if (Object.keys(values).length !== params.length) {
      const unknown = Object.keys(values).filter((name) => !params.some((p) => p.name === name));
      throw new Error(`${this.name}: Params has no field ${unknown.join(', ')}`);
    }
    return 4 * params.length;
  }
}
