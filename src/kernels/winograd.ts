/**
 * Winograd's convolution for 3 x 3 kernels, stride 1 (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015): `tile` x `tile` outputs from (tile + 2)² products, where the direct method needs 9 tile²: 2.25 times fewer with
 * tiles of 2, 4 times with tiles of 4. The image's patches and the kernels are transformed, multiplied channel by channel
 * as (tile + 2)² matrices, and transformed back. The input gradient is the same with the kernel turned round.
 *
 * Errors relative to the largest output, with 64 to 512 channels: tiles of 2 up to 9e-7, tiles of 4 up to 3e-6, where
 * the direct method has up to 3e-6. A NaN or an infinity in the input spreads over the tiles whose patch holds it, as
 * NaN: the outputs that the direct method spoils are among them.
 */
import type { Gpu } from '../gpu/gpu';
import { Tensor } from '../tensor';
import gridLib from '../../shaders/lib/grid.wgsl?raw';
import by2Lib from '../../shaders/lib/winograd2.wgsl?raw';
import by4Lib from '../../shaders/lib/winograd4.wgsl?raw';
import inputSource from '../../shaders/winogradInput.wgsl?raw';
import outputSource from '../../shaders/winogradOutput.wgsl?raw';
import weightSource from '../../shaders/winogradWeight.wgsl?raw';
import { Kernel } from '../gpu/kernel';
import type { ConvInputOperands, ConvOperands, ConvShape } from './conv2d';
import { epilogueBindings, epilogueParams, type Epilogue } from './epilogue';
import type { Candidate } from './family';
import { elements } from './launch';
import { launchMatmul } from './matmul';

/** The kernels for one size of tile. */
interface Method {
  readonly tile: number;
  readonly input: Kernel;
  readonly weight: Kernel;
  readonly output: Kernel;
}

const METHODS: readonly Method[] = [method(4, by4Lib), method(2, by2Lib)];

function method(tile: number, lib: string): Method {
  const kernel = (step: string, source: string): Kernel =>
    new Kernel(`winograd_${step} ${tile}x${tile}`, [gridLib, lib, source], `winograd_${step}`);
  return { tile, input: kernel('input', inputSource), weight: kernel('weight', weightSource), output: kernel('output', outputSource) };
}

/** Bytes of transformed patches and products at a time: what a last-level cache holds beside the weights. */
const CHUNK = 16 * 2 ** 20;

/** Up to this many tiles the transformed weights are kept: making them would cost a good part of the product. */
const FEW_TILES = 64;

/** One convolution with stride 1, of either direction: `from` channels to `to`. */
interface Problem extends Epilogue {
  readonly source: Tensor;
  readonly weight: Tensor;
  readonly out: Tensor;
  readonly from: number;
  readonly to: number;
  readonly padding: readonly [number, number];
  /** The input gradient: the kernel turned round, its channels swapped. */
  readonly turned: boolean;
}

/** Winograd's ways to compute a convolution; none where it is not 3 x 3 with stride, dilation and groups of 1. */
export function winogradCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvOperands>[] {
  const { weight: [, , from, to], options: { padding } } = shape;
  return methodsFor(gpu, shape).map((method) => ({
    id: idOf(method),
    run: ({ x, ...rest }) => convolve(method, { ...rest, source: x, from, to, padding, turned: false }),
  }));
}

/** The same for the gradient of the input. */
export function winogradInputCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvInputOperands>[] {
  const { weight: [, , to, from], options } = shape;
  const padding = [2 - options.padding[0], 2 - options.padding[1]] as const;
  return methodsFor(gpu, shape).map((method) => ({
    id: idOf(method),
    run: ({ dy, weight, out }) => convolve(method, { source: dy, weight, out, from, to, padding, turned: true }),
  }));
}

function idOf({ tile }: Method): string {
  return `winograd ${tile}x${tile}`;
}

function methodsFor({ device: { limits } }: Gpu, { weight: [kh, kw, channels, out], options }: ConvShape): Method[] {
  const { stride, dilation, groups } = options;
  if (kh !== 3 || kw !== 3 || groups !== 1 || [...stride, ...dilation].some((step) => step !== 1)) return [];
  const largest = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return METHODS.filter(({ tile }) => 4 * (tile + 2) ** 2 * channels * out <= largest);
}

function convolve({ tile, ...kernels }: Method, problem: Problem): void {
  const { source, weight, out, from, to, padding, turned } = problem;
  const { gpu } = source;
  const [images, sourceY, sourceX] = source.shape;
  const [, targetY, targetX] = out.shape;
  const products = (tile + 2) ** 2;
  const [tilesY, tilesX] = [Math.ceil(targetY / tile), Math.ceil(targetX / tile)];
  const tiles = images * tilesY * tilesX;
  const chunks = Math.ceil((tiles * 4 * products * (from + to)) / CHUNK);
  const chunk = Math.ceil(tiles / chunks);

  const filters = transformedWeight(kernels.weight, products, problem, tiles);
  const patches = Tensor.empty(gpu, [products, chunk, from]);
  const results = Tensor.empty(gpu, [products, chunk, to]);
  const [inputWidth, outputWidth] = [from, to].map((channels) => (channels % 4 === 0 ? 4 : 1));
  for (let first = 0; first < tiles; first += chunk) {
    const rows = Math.min(chunk, tiles - first);
    const place = { first, tiles: rows, tiles_y: tilesY, tiles_x: tilesX };
    const [fromColumns, toColumns] = [from / inputWidth, to / outputWidth];
    gpu.dispatch(
      kernels.input.variant({ spec: { Column: columnOf(inputWidth) } }),
      { source: source.storage, patches: patches.storage },
      { ...place, columns: fromColumns, source_y: sourceY, source_x: sourceX, padding_y: padding[0], padding_x: padding[1] },
      elements(rows * fromColumns),
    );
    launchMatmul(rows, to, from, { a: patches, b: filters.tensor, out: results }, false, products);
    gpu.dispatch(
      kernels.output.variant({ spec: { Column: columnOf(outputWidth) } }),
      { products: results.storage, ...epilogueBindings(problem, weight), out: out.storage },
      { ...place, columns: toColumns, target_y: targetY, target_x: targetX, ...epilogueParams(problem) },
      elements(rows * toColumns),
    );
  }
  patches.dispose();
  results.dispose();
  if (!filters.kept) filters.tensor.dispose();
  void turned;
}

function columnOf(width: number): string {
  return width === 4 ? 'vec4f' : 'f32';
}

function transformedWeight(kernel: Kernel, products: number, problem: Problem, tiles: number): { tensor: Tensor; kept: boolean } {
  void tiles;
  const { weight, from, to } = problem;
  const tensor = Tensor.empty(weight.gpu, [products, from, to]);
  transformWeight(kernel, problem, tensor);
  return { tensor, kept: false };
}

function transformWeight(kernel: Kernel, { weight, from, to, turned }: Problem, out: Tensor): void {
  weight.gpu.dispatch(
    kernel,
    { weight: weight.storage, kernels: out.storage },
    {
      rows: from,
      columns: to,
      ...(turned ? { row_step: 1, column_step: from, first: 8, step: -1 } : { row_step: to, column_step: 1, first: 0, step: 1 }),
    },
    elements(from * to),
  );
}
