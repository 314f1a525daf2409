/** Graft, from the built package as a user has it, or from its sources, where kernels are tried that it does not export. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const BUILT = join(ROOT, 'dist', 'node.js');

/** The public API. `from`: 'dist' or 'src'. */
export async function loadGraft(from) {
  if (from === 'src') {
    const load = await sources();
    return { ...(await load('/src/tensor.ts')), ...(await load('/src/node/index.ts')) };
  }
  if (!existsSync(BUILT)) throw new Error('Graft is not built: npm run build (or --from src)');
  return import(pathToFileURL(BUILT).href);
}

/** Modules of the source tree: the kernels themselves, and the few of the public API that are measured beside them. */
const MODULES = [
  'gpu/device', 'tensor', 'kernels/conv2d/conv2d', 'kernels/matmul/matmul', 'autograd/op', 'autograd/ops/elementwise', 'autograd/ops/norm', 'autograd/ops/pool',
  'autograd/ops/loss', 'layers/module', 'optim/optimizer',
];

/** The kernels, and the rest as `graft`. */
export async function loadKernels() {
  const load = await sources();
  const loaded = await Promise.all(MODULES.map(async (path) => [path, await load(`/src/${path}.ts`)]));
  const pick = (wanted) => Object.assign({}, ...loaded.filter(([path]) => path.startsWith('kernels/') === wanted).map(([, module]) => ({ ...module })));
  return { ...pick(true), graft: pick(false) };
}

let loading;

function sources() {
  loading ??= import('vite').then(async ({ createServer }) => {
    const server = await createServer({ root: ROOT, configFile: false, logLevel: 'error', server: { middlewareMode: true, hmr: false, ws: false, watch: null }, appType: 'custom', optimizeDeps: { noDiscovery: true }, oxc: { target: 'es2022' } });
    return (path) => server.ssrLoadModule(path);
  });
  return loading;
}
