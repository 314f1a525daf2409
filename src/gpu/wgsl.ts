/**
 * The only code that reads or edits WGSL text: specialisation of named declarations, and reflection of the bindings and
 * the `Params` struct that an entry point uses, so that binding numbers and field order are written once, in the shader.
 */

export interface Binding {
  readonly name: string;
  readonly binding: number;
  /** `uniform`, `read` or `read_write`. */
  readonly access: 'uniform' | 'read' | 'read_write';
}

export type ParamType = 'u32' | 'i32' | 'f32';

export interface EntryPoint {
  readonly name: string;
  /** Bindings statically used by the entry point, as an automatic pipeline layout sees them. */
  readonly bindings: readonly Binding[];
  /** Fields of `struct Params`, in order. Empty when the entry point uses no uniform. */
  readonly params: readonly { readonly name: string; readonly type: ParamType }[];
}

/**
 * Replaces the right side of `const NAME = …;` or `alias NAME = …;` at module scope.
 * Every declaration has a working default, so that each file is valid WGSL as written.
 */
export function specialise(source: string, spec: Readonly<Record<string, string | number>>): string {
  let result = source;
  for (const [name, value] of Object.entries(spec)) {
    const pattern = new RegExp(`^((?:const|alias)\\s+${name}\\b[^=]*=)[^;]*;`, 'm');
    if (!pattern.test(result)) throw new Error(`specialise: the shader declares no const or alias '${name}'`);
    const text = typeof value === 'number' ? `${value}u` : value;
    result = result.replace(pattern, (_, left: string) => `${left} ${text};`);
  }
  return result;
}

/**
 * The source with `read[…]` reading from `written[…]`, and without the binding `read`. Undefined where the two bindings
 * are not there with the same elements, or `read` is used otherwise than by index.
 */
export function readFrom(source: string, read: string, written: string): string | undefined {
  const declaration = (name: string, access: string): RegExp => new RegExp(`@group\\(0\\)\\s*@binding\\(\\d+\\)\\s*var<storage,\\s*${access}>\\s*${name}\\s*:\\s*array<([^;]*)>\\s*;`);
  const code = source.replace(/\/\/[^\n]*/g, '');
  const from = declaration(read, 'read').exec(code);
  const to = declaration(written, 'read_write').exec(code);
  if (!from || !to || from[1] !== to[1]) return undefined;
  const rest = code.replace(from[0], '').replace(new RegExp(`(?<![.\\w])${read}\\s*\\[`, 'g'), `${written}[`);
  // What is left of the name is a field of Params, or a use that this cannot follow.
  return new RegExp(`(?<![.\\w])${read}\\b(?!\\s*:)`).test(rest) ? undefined : rest;
}

/** Finds an entry point in concatenated WGSL and what it uses, through every function it calls. */
export function reflect(source: string, entry: string): EntryPoint {
  const code = source.replace(/\/\/[^\n]*/g, '');
  const functions = functionBodies(code);
  if (!functions.has(entry)) throw new Error(`reflect: no function '${entry}' in the shader`);
  const used = new Set<string>();
  const pending = [entry];
  while (pending.length > 0) {
    const body = functions.get(pending.pop() as string);
    if (body === undefined) continue;
    for (const [word] of body.matchAll(/(?<![.\w])[A-Za-z_]\w*/g)) {
      if (used.has(word)) continue;
      used.add(word);
      if (functions.has(word)) pending.push(word);
    }
  }
  const bindings: Binding[] = [];
  for (const m of code.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<([^>]*)>\s*(\w+)/g)) {
    if (!used.has(m[3])) continue;
    const access = m[2].startsWith('uniform') ? 'uniform' : m[2].includes('read_write') ? 'read_write' : 'read';
    bindings.push({ name: m[3], binding: Number(m[1]), access });
  }
  return { name: entry, bindings, params: bindings.some((b) => b.access === 'uniform') ? paramFields(code) : [] };
}

function functionBodies(code: string): Map<string, string> {
  const bodies = new Map<string, string>();
  for (const m of code.matchAll(/\bfn\s+(\w+)/g)) {
    let depth = 0;
    let end = m.index;
    do {
      const c = code[end++];
      if (c === '{') depth++;
      else if (c === '}' && --depth === 0) break;
    } while (end < code.length);
    bodies.set(m[1], code.slice(m.index + m[0].length, end));
  }
  return bodies;
}

function paramFields(code: string): { name: string; type: ParamType }[] {
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(code);
  if (!struct) throw new Error('reflect: a shader with a uniform must declare struct Params');
  return [...struct[1].matchAll(/(\w+)\s*:\s*(\w+)/g)].map((m) => {
    const type = m[2];
    if (type !== 'u32' && type !== 'i32' && type !== 'f32') {
      throw new Error(`reflect: Params.${m[1]} is ${type}; only u32, i32 and f32 can be packed`);
    }
    return { name: m[1], type };
  });
}
