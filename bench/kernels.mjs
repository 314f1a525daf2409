// GFLOP/s of the matrix product and of the convolutions of ResNet-18 and -50, forward and both gradients, on this
// machine's adapter. Each result is checked against sums in double precision before it is timed.
//
//   node bench/kernels.mjs [--only TEXT] [--seconds S]    TEXT: a part of a row's name, such as "3x3" or "dW"
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';

const { values: args } = parseArgs({ options: { only: { type: 'string', default: '' }, seconds: { type: 'string', default: '0.4' } } });

const server = await createServer({ configFile: false, logLevel: 'error', server: { middlewareMode: true, hmr: false, ws: false }, appType: 'custom' });
const load = (path) => server.ssrLoadModule(path);
const { openGpu } = await load('/src/gpu/device.ts');
const { Tensor } = await load('/src/tensor.ts');
const { matmul } = await load('/src/kernels/matmul.ts');
const { conv2d, conv2dBackwardInput, conv2dBackwardWeight, conv2dShape } = await load('/src/kernels/conv2d.ts');

const gpu = await openGpu();
console.log(`${gpu.adapter.description}${gpu.adapter.software ? ' (software)' : ''}, float32; best of the runs that fit into ${args.seconds} s a row`);

/** Images, extent, input channels, output channels, kernel, stride, and where it occurs. */
const CONVS = [
  [1, 224, 3, 64, 7, 2, 'stem'],
  [1, 56, 64, 64, 3, 1, '18, 50'],
  [1, 56, 64, 128, 3, 2, '18'],
  [1, 56, 64, 128, 1, 2, '18'],
  [1, 28, 128, 128, 3, 1, '18, 50'],
  [1, 28, 128, 256, 3, 2, '18'],
  [1, 28, 128, 256, 1, 2, '18'],
  [1, 14, 256, 256, 3, 1, '18, 50'],
  [1, 14, 256, 512, 3, 2, '18'],
  [1, 14, 256, 512, 1, 2, '18'],
  [1, 7, 512, 512, 3, 1, '18, 50'],
  [1, 56, 64, 64, 1, 1, '50'],
  [1, 56, 64, 256, 1, 1, '50'],
  [1, 56, 256, 64, 1, 1, '50'],
  [1, 56, 256, 128, 1, 1, '50'],
  [1, 56, 128, 128, 3, 2, '50'],
  [1, 56, 256, 512, 1, 2, '50'],
  [1, 28, 128, 512, 1, 1, '50'],
  [1, 28, 512, 128, 1, 1, '50'],
  [1, 28, 512, 256, 1, 1, '50'],
  [1, 28, 256, 256, 3, 2, '50'],
  [1, 28, 512, 1024, 1, 2, '50'],
  [1, 14, 256, 1024, 1, 1, '50'],
  [1, 14, 1024, 256, 1, 1, '50'],
  [1, 14, 1024, 512, 1, 1, '50'],
  [1, 14, 512, 512, 3, 2, '50'],
  [1, 14, 1024, 2048, 1, 2, '50'],
  [1, 7, 512, 2048, 1, 1, '50'],
  [1, 7, 2048, 512, 1, 1, '50'],
  [8, 224, 3, 64, 7, 2, 'stem, batch 8'],
  [8, 56, 64, 64, 3, 1, 'batch 8'],
  [8, 28, 128, 128, 3, 1, 'batch 8'],
  [8, 14, 256, 256, 3, 1, 'batch 8'],
  [8, 7, 512, 512, 3, 1, 'batch 8'],
];

for (const n of [512, 1024, 2048]) await benchMatmul(`matmul ${n}`, n, n, n);
for (const m of [1, 8, 32]) await benchMatmul(`head ${m} x 512 -> 1000`, m, 1000, 512, true);
for (const conv of CONVS) await benchConv(conv);
process.exit(0);

async function benchMatmul(name, m, n, k, transposeB = false) {
  if (!name.includes(args.only)) return;
  const [a, b] = [random(m * k), random(k * n)];
  const [ta, tb] = [Tensor.fromArray(gpu, [m, k], a), Tensor.fromArray(gpu, transposeB ? [n, k] : [k, n], b)];
  const expected = (at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let l = 0; l < k; l++) sum += a[i * k + l] * b[transposeB ? j * k + l : l * n + j];
    return sum;
  };
  await row(name, 2 * m * n * k, () => matmul(ta, tb, { transposeB }), expected, Math.sqrt(k));
}

async function benchConv([images, extent, channels, out, kernel, stride, where]) {
  const name = `${extent} ${channels}->${out} k${kernel} s${stride} (${where})`;
  const passes = ['forward', 'dX', 'dW'].filter((pass) => `conv ${pass} ${name}`.includes(args.only));
  if (passes.length === 0) return;
  const padding = (kernel - 1) / 2;
  const options = { stride: [stride, stride], padding: [padding, padding], dilation: [1, 1], groups: 1 };
  const [xShape, wShape] = [[images, extent, extent, channels], [kernel, kernel, channels, out]];
  const shape = conv2dShape(xShape, wShape, options);
  const size = shape[1];
  const [x, w, dy] = [xShape, wShape, shape].map((s) => random(s.reduce((p, q) => p * q)));
  const [tx, tw, tdy] = [Tensor.fromArray(gpu, xShape, x), Tensor.fromArray(gpu, wShape, w), Tensor.fromArray(gpu, shape, dy)];
  const flops = 2 * shape.reduce((p, q) => p * q) * kernel * kernel * channels;

  const forward = (at) => {
    const [o, ox, oy, n] = unravel(at, [out, size, size]);
    let sum = 0;
    for (let ky = 0; ky < kernel; ky++)
      for (let kx = 0; kx < kernel; kx++) {
        const [y, xx] = [oy * stride + ky - padding, ox * stride + kx - padding];
        if (y < 0 || xx < 0 || y >= extent || xx >= extent) continue;
        for (let c = 0; c < channels; c++) sum += x[((n * extent + y) * extent + xx) * channels + c] * w[((ky * kernel + kx) * channels + c) * out + o];
      }
    return sum;
  };
  const dX = (at) => {
    const [c, xx, y, n] = unravel(at, [channels, extent, extent]);
    let sum = 0;
    for (let ky = 0; ky < kernel; ky++)
      for (let kx = 0; kx < kernel; kx++) {
        const [oy, ox] = [(y + padding - ky) / stride, (xx + padding - kx) / stride];
        if (!Number.isInteger(oy) || !Number.isInteger(ox) || oy < 0 || ox < 0 || oy >= size || ox >= size) continue;
        for (let o = 0; o < out; o++) sum += dy[((n * size + oy) * size + ox) * out + o] * w[((ky * kernel + kx) * channels + c) * out + o];
      }
    return sum;
  };
  const dW = (at) => {
    const [o, c, kx, ky] = unravel(at, [out, channels, kernel]);
    let sum = 0;
    for (let n = 0; n < images; n++)
      for (let oy = 0; oy < size; oy++)
        for (let ox = 0; ox < size; ox++) {
          const [y, xx] = [oy * stride + ky - padding, ox * stride + kx - padding];
          if (y < 0 || xx < 0 || y >= extent || xx >= extent) continue;
          sum += x[((n * extent + y) * extent + xx) * channels + c] * dy[((n * size + oy) * size + ox) * out + o];
        }
    return sum;
  };
  const runs = {
    forward: [() => conv2d(tx, tw, options), forward, kernel * Math.sqrt(channels)],
    dX: [() => conv2dBackwardInput(tdy, tw, xShape, options), dX, kernel * Math.sqrt(out)],
    dW: [() => conv2dBackwardWeight(tx, tdy, wShape, options), dW, size * Math.sqrt(images)],
  };
  for (const pass of passes) await row(`conv ${pass} ${name}`, flops, ...runs[pass]);
  for (const t of [tx, tw, tdy]) t.dispose();
}

/** Checks 64 elements of the result, then prints the best speed. `scale` is the size of a typical element. */
async function row(name, flops, run, expected, scale) {
  const out = run();
  const values = await out.toArray();
  out.dispose();
  for (let i = 0; i < 64; i++) {
    const at = i < 2 ? i * (values.length - 1) : Math.floor(Math.random() * values.length);
    const want = expected(at);
    if (!(Math.abs(values[at] - want) <= 1e-5 * Math.max(scale, 1))) {
      console.error(`${name}: element ${at} is ${values[at]}, not ${want}`);
      process.exit(1);
    }
  }
  let best = Infinity;
  let bestCpu = Infinity;
  const until = performance.now() + 1000 * Number(args.seconds);
  for (let n = 0; n < 3 || performance.now() < until; n++) {
    const started = performance.now();
    const cpu = process.cpuUsage();
    run().dispose();
    await gpu.sync();
    best = Math.min(best, performance.now() - started);
    const { user, system } = process.cpuUsage(cpu);
    bestCpu = Math.min(bestCpu, (user + system) / 1000);
  }
  // What a software adapter would reach with all cores to itself: steadier than the time on a machine with other work.
  const alone = gpu.adapter.software ? `${((flops / bestCpu / 1e6) * cpus().length).toFixed(1).padStart(8)} by CPU time` : '';
  console.log(`${name.padEnd(48)} ${(flops / best / 1e6).toFixed(1).padStart(8)} GFLOP/s ${best.toFixed(2).padStart(9)} ms${alone}`);
}

function random(count) {
  return Float32Array.from({ length: count }, () => 2 * Math.random() - 1);
}

function unravel(at, extents) {
  const place = extents.map((extent) => {
    const i = at % extent;
    at = Math.floor(at / extent);
    return i;
  });
  return [...place, at];
}
