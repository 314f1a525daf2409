/** Imports go one way (docs/architecture.md), the core runs in a browser, and only src/gpu touches WebGPU's objects. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Parts of src, and the parts each may import besides itself. A file in src stands for itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = (() => {
  const base = ['errors', 'hostTensor', 'random'];
  const tensor = [...base, 'gpu', 'tensor'];
  const kernels = [...tensor, 'kernels', 'shaders'];
  const autograd = [...tensor, 'kernels', 'autograd'];
  const layers = [...autograd, 'layers'];
  const models = [...layers, 'models'];
  const everything = [...models, 'optim', 'weights', 'data', 'tune'];
  return {
    errors: [],
    hostTensor: ['errors'],
    random: ['errors'],
    gpu: ['errors'],
    tensor: [...base, 'gpu'],
    kernels,
    tune: kernels,
    autograd,
    layers,
    models,
    optim: [...tensor, 'kernels', 'layers'],
    weights: [...base, 'tensor'],
    data: [...base, 'tensor'],
    transfer: everything,
    validate: everything,
    report: [...everything, 'transfer', 'validate'],
    index: [...everything, 'transfer', 'validate', 'report'],
    node: [...everything, 'transfer', 'validate', 'report', 'index'],
    cli: [...everything, 'transfer', 'validate', 'report', 'index', 'node'],
  };
})();

/** Parts that run in a browser: all but these. */
const NODE_ONLY = ['node', 'cli'];

interface Import {
  readonly from: string;
  /** Path under src without extension, `shaders/...`, or a package's name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.(ts|mjs)$/.test(path) && !path.endsWith('.d.mts'));
const sources = new Map(files.map((path) => [path, withoutComments(readFileSync(join('src', path), 'utf8'))]));

/** Comments blanked, strings kept. */
function withoutComments(source: string): string {
  return source.replace(/('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (all, string: string | undefined) => string ?? ' '.repeat(all.length));
}

function importsOf(path: string): Import[] {
  const source = sources.get(path) ?? '';
  const found: Import[] = [];
  const pattern = /^\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*(?:\/\*[^*]*\*\/\s*)?'([^']+)'|new URL\(\s*'([^']+)',\s*import\.meta/gm;
  for (const [statement, keyword, type, target, dynamic, url] of source.matchAll(pattern)) {
    const named = /\{([^}]*)\}/.exec(statement)?.[1];
    const allTypes = keyword === 'import' && named !== undefined && named.split(',').every((item) => item.trim() === '' || item.trim().startsWith('type '));
    found.push({ from: path, to: resolve(path, target ?? dynamic ?? url), typeOnly: type !== undefined || allTypes });
  }
  return found;
}

function resolve(from: string, target: string): string {
  if (!target.startsWith('.')) return target;
  const path = posix.normalize(posix.join('src', dirname(from).replaceAll('\\', '/'), target));
  return path.replace(/^src\//, '').replace(/\.(ts|js|mjs)$/, '');
}

/** `kernels/pool.ts` is of `kernels`, `tensor.ts` of `tensor`. */
function partOf(path: string): string {
  return path.replace(/\.(ts|mjs)$/, '').split('/')[0];
}

const imports = files.flatMap(importsOf);
const known = new Set(files.map((path) => path.replace(/\.(ts|mjs)$/, '')));
const inner = imports.filter(({ to }) => known.has(to) || to.startsWith('shaders/'));

describe('imports', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThan(60);
    expect(inner.length).toBeGreaterThan(200);
    expect(imports.some(({ from, to }) => from === 'kernels/pool.ts' && to === 'shaders/pool.wgsl?raw')).toBe(true);
  });

  it('resolve to a file of src, a shader or a package', () => {
    const lost = imports.filter(({ to }) => !known.has(to) && !/^shaders\/.*\.wgsl\?raw$|^(node:)?[\w@][\w@/.-]*$/.test(to) && !to.startsWith('../') && !/\.json(\?raw)?$/.test(to));
    expect(lost.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it('go one way', () => {
    const wrong = inner.filter(({ from, to }) => {
      const [part, target] = [partOf(from), partOf(to)];
      return part !== target && !(MAY_IMPORT[part] ?? []).includes(target);
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
    expect([...new Set(files.map(partOf))].filter((part) => !(part in MAY_IMPORT))).toEqual([]);
  });

  it('of the barrel are only Node\'s barrel\'s and the command line\'s', () => {
    expect(inner.filter(({ from, to }) => to === 'index' && from !== 'node/index.ts' && partOf(from) !== 'cli').map(({ from }) => from)).toEqual([]);
  });

  it('form no cycle at run time', () => {
    const graph = new Map<string, string[]>();
    for (const { from, to, typeOnly } of inner) if (!typeOnly) graph.set(from.replace(/\.(ts|mjs)$/, ''), [...(graph.get(from.replace(/\.(ts|mjs)$/, '')) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file) || path.includes(file)) return;
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('of shaders are only the kernels\'', () => {
    expect(inner.filter(({ from, to }) => to.startsWith('shaders/') && partOf(from) !== 'kernels')).toEqual([]);
  });

  it('of packages and of Node are not in the core', () => {
    const wrong = imports.filter(({ from, to }) => !NODE_ONLY.includes(partOf(from)) && !to.startsWith('.') && !inner.some((i) => i.to === to) && !/^(shaders|\.\.|weights)\//.test(to));
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });
});

describe('the core', () => {
  const core = [...sources].filter(([path]) => !NODE_ONLY.includes(partOf(path)));
  const naming = (pattern: RegExp, allowed: RegExp): string[] => core.filter(([path, source]) => pattern.test(source) && !allowed.test(path)).map(([path]) => path);

  it('knows of Node only where it finds a device and waits for it', () => {
    expect(naming(/\bprocess\.|['"]node:|\brequire\(|\bNodeJS\.|\bsetImmediate\b/, /^gpu\/(device|wait)\.ts$/)).toEqual([]);
  });
  it('touches WebGPU only in src/gpu', () => {
    const webgpu = /\bGPU[A-Z]\w*|\bnavigator\.gpu\b|\.create(Buffer|BindGroup|ShaderModule|ComputePipeline|CommandEncoder|QuerySet)\w*\(|\.(writeBuffer|mapAsync|beginComputePass)\(/;
    expect(naming(webgpu, /^gpu\//)).toEqual([]);
    expect(webgpu.test(sources.get('gpu/gpu.ts') ?? '')).toBe(true);
  });
  it('draws random numbers only from seeds', () => {
    expect(naming(/Math\.random\b|crypto\.getRandomValues/, /^$/)).toEqual([]);
  });
  it('has no default exports, enums, any, or ignored errors', () => {
    expect(naming(/^\s*export default|^\s*(export )?(const )?enum |:\s*any\b|\bas any\b|<any>/m, /^$/)).toEqual([]);
    expect(files.filter((path) => /@ts-(ignore|nocheck|expect-error)/.test(readFileSync(join('src', path), 'utf8')))).toEqual([]);
  });
  it('opens each file with its purpose, and keeps files short', () => {
    for (const path of files.filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(join('src', path), 'utf8');
      expect(text.replace(/^#![^\n]*\n/, '').startsWith('/**'), `${path} opens with a comment`).toBe(true);
      expect(text.split('\n').length, path).toBeLessThanOrEqual(351);
    }
  });
});
