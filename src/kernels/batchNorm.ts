/** Batch normalisation of [..., C] tensors, with the sum and the activation after it, and their gradients. */
import { ShapeError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import narrow from '../../shaders/lib/narrow.wgsl?raw';
import wide from '../../shaders/lib/wide.wgsl?raw';
import source from '../../shaders/batchNorm.wgsl?raw';
import { elements, fold, sameShape } from './launch';

const ENTRIES = ['partial', 'merge', 'running', 'affine', 'apply', 'backward_sums', 'backward_merge', 'backward_batch', 'backward_running'] as const;
type Entry = (typeof ENTRIES)[number];

const [WIDE, NARROW] = [wide, narrow].map((lanes, i) => {
  const made = ENTRIES.map((entry): [Entry, Kernel] => {
    const name = `batch_norm_${entry}`;
    return [entry, new Kernel(`${name}${i === 0 ? '' : ' (narrow)'}`, [lanes, source], name)];
  });
  return Object.fromEntries(made) as Record<Entry, Kernel>;
});

/** Rows that are worth an invocation's sums: each leaves two numbers a channel to be merged. */
const LEAST_ROWS = 16;

/** What a grid's first dimension takes, and kernels do not look at the others. */
const MOST_CHANNELS = 2 ** 21;

/** x as [rows, channels], in floats. */
interface Extents {
  readonly rows: number;
  readonly channels: number;
}

function extentsOf(shape: readonly number[]): Extents {
  const channels = shape[shape.length - 1];
  return { channels, rows: sizeOf(shape) / Math.max(1, channels) };
}

/** Floats that an invocation takes at once. */
function widthOf({ channels }: Extents): number {
  return channels % 4 === 0 ? 4 : 1;
}

/** How rows are shared out: `chunks` in all, `within` of them to each band of `band` rows. */
interface Chunks {
  readonly chunks: number;
  readonly band: number;
  readonly within: number;
}

/**
 * Chunks of at least `least` rows, for enough invocations to fill the adapter. On a GPU all take turns along the rows;
 * on a CPU adapter each workgroup stays within a band, whose memory lies together.
 */
function chunksOf({ adapter: { software } }: Gpu, extents: Extents, least: number, most: number): Chunks {
  const { rows } = extents;
  const vectors = extents.channels / widthOf(extents);
  if (!software) {
    const chunks = Math.max(1, Math.min(Math.ceil(most / vectors), Math.floor(rows / least)));
    return { chunks, band: rows, within: chunks };
  }
  const within = Math.max(1, Math.min(Math.floor(64 / vectors), Math.floor(rows / least)));
  const bands = Math.max(1, Math.min(Math.ceil(4096 / (within * vectors)), Math.floor(rows / (within * least))));
  const band = Math.ceil(rows / bands);
  return { chunks: within * Math.ceil(rows / band), band, within };
}

/** For sums over the rows. */
function sumChunks(gpu: Gpu, extents: Extents): Chunks {
  return chunksOf(gpu, extents, LEAST_ROWS, 65536);
}

/** Where every row is written. */
function mapChunks(gpu: Gpu, extents: Extents): Chunks {
  return chunksOf(gpu, extents, 1, 2 ** 20);
}

interface Launch {
  readonly chunks?: Chunks;
  readonly eps?: number;
  readonly momentum?: number;
  readonly update?: boolean;
  readonly constants?: Readonly<Record<string, number>>;
}

const ONE: Chunks = { chunks: 1, band: 1, within: 1 };

/** One dispatch. The grid follows from the entry: an invocation a channel, a workgroup a channel, or one a channel of a chunk. */
function run(gpu: Gpu, entry: Entry, extents: Extents, tensors: Readonly<Record<string, Tensor>>, options: Launch): void {
  const { chunks = ONE, eps = 0, momentum = 0, update = false, constants } = options;
  const width = widthOf(extents);
  const channels = extents.channels / width;
  if (channels > MOST_CHANNELS) throw new ShapeError(`batch_norm: ${extents.channels} channels are more than a kernel can take (${width * MOST_CHANNELS})`);
  const kernel = (width === 4 ? WIDE : NARROW)[entry];
  const merges = entry === 'merge' || entry === 'backward_merge';
  // A CPU adapter has as many lanes; more only wait for each other.
  const overrides = merges && gpu.adapter.software ? { ...constants, MERGE: 8 } : constants;
  gpu.dispatch(
    overrides ? kernel.variant({ constants: overrides }) : kernel,
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.storage])),
    { rows: extents.rows, channels, ...chunks, eps, momentum, update: update ? 1 : 0 },
    merges ? fold(channels) : elements(chunks.chunks * channels),
  );
}

export interface RunningStatistics {
  readonly mean: Tensor;
  readonly var: Tensor;
}

function assertAffine(x: readonly number[], weight: Tensor, bias: Tensor): void {
  const channels = x[x.length - 1];
  for (const [name, t] of Object.entries({ weight, bias })) {
    if (t.size !== channels) throw new ShapeError(`batch_norm: ${name} ${formatShape(t.shape)} does not match the ${channels} channels of ${formatShape(x)}`);
  }
}

/**
 * What the other functions need of each channel, [4, C]: mean and 1 / sqrt(variance + eps) over the batch, weight and
 * bias. With `update` given, moves its running statistics by `momentum` (the variance by its unbiased estimate).
 * @throws ShapeError for one row, whose variance says nothing (as PyTorch does).
 */
export function batchStatistics(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  eps: number,
  update?: { running: RunningStatistics; momentum: number },
): Tensor {
  const { gpu } = x;
  assertAffine(x.shape, weight, bias);
  const extents = extentsOf(x.shape);
  const { rows, channels } = extents;
  if (rows < 2) {
    throw new ShapeError(`batch_norm: more than one value per channel is needed to normalise by the batch, got ${formatShape(x.shape)}; use a larger batch, or hold the statistics (eval mode)`);
  }
  const chunks = sumChunks(gpu, extents);
  const partial = Tensor.empty(gpu, [2, chunks.chunks, channels]);
  run(gpu, 'partial', extents, { x, out: partial }, { chunks });
  const stats = Tensor.empty(gpu, [4, channels]);
  // Bindings must be there even when the statistics are held; nothing is written to them then.
  const running_mean = update?.running.mean ?? Tensor.empty(gpu, [channels]);
  const running_var = update?.running.var ?? Tensor.empty(gpu, [channels]);
  run(gpu, 'merge', extents, { partial, weight, bias, running_mean, running_var, out: stats }, { chunks, eps, momentum: update?.momentum, update: update !== undefined });
  partial.dispose();
  if (!update) {
    running_mean.dispose();
    running_var.dispose();
  }
  return stats;
}

/** The same four rows from running statistics. */
export function runningStatistics(running: RunningStatistics, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const { gpu, shape } = running.mean;
  assertAffine(shape, weight, bias);
  const stats = Tensor.empty(gpu, [4, shape[0]]);
  run(gpu, 'running', { rows: 1, channels: shape[0] }, { running_mean: running.mean, running_var: running.var, weight, bias, out: stats }, { eps });
  return stats;
}

/** The normalisation by running statistics as `x * scale + bias`, both [C]: what an epilogue (products/epilogue.ts) does. */
export function runningAffine(
  running: RunningStatistics,
  weight: Tensor,
  bias: Tensor,
  eps: number,
  into?: { readonly scale: Tensor; readonly bias: Tensor },
): { scale: Tensor; bias: Tensor } {
  const { gpu, shape } = weight;
  const made = into ?? { scale: Tensor.empty(gpu, shape), bias: Tensor.empty(gpu, shape) };
  const tensors = { running_mean: running.mean, running_var: running.var, weight, bias, out: made.scale, second_out: made.bias };
  run(gpu, 'affine', { rows: 1, channels: shape[0] }, tensors, { eps });
  return made;
}

/** What follows the normalisation in the same pass. */
export interface Following {
  /** Added to it; the output's shape. */
  readonly residual?: Tensor;
  readonly relu: boolean;
}

/** `relu((x - mean) * invstd * weight + bias + residual)`, the last two where asked for. */
export function normalise(x: Tensor, stats: Tensor, { residual, relu }: Following): Tensor {
  if (residual && !sameShape(residual.shape, x.shape)) {
    throw new ShapeError(`batch_norm: residual ${formatShape(residual.shape)} does not have the shape of the normalised ${formatShape(x.shape)}`);
  }
  const out = Tensor.empty(x.gpu, x.shape);
  const extents = extentsOf(x.shape);
  const constants = { RESIDUAL: residual ? 1 : 0, RELU: relu ? 1 : 0 };
  run(x.gpu, 'apply', extents, { x, stats, residual: residual ?? x, out }, { chunks: mapChunks(x.gpu, extents), constants });
  return out;
}

/** What `normaliseBackward` is given: what the forward was, and which gradients are wanted. */
export interface Backward {
  readonly x: Tensor;
  readonly stats: Tensor;
  readonly dy: Tensor;
  /** To be added to dy. */
  readonly moreDy?: Tensor;
  readonly relu: boolean;
  /** With both a residual and a ReLU, the forward's output; else it is not needed. */
  readonly output?: Tensor;
  /** Whether the statistics came from this batch; else they are constants. */
  readonly byBatch: boolean;
  readonly wanted: { readonly x: boolean; readonly affine: boolean; readonly residual: boolean };
}

export interface Gradients {
  readonly x?: Tensor;
  readonly weight?: Tensor;
  readonly bias?: Tensor;
  /** May be `dy` itself. */
  readonly residual?: Tensor;
}

/** The gradients of `normalise`, and of the statistics it used where those came from the batch. */
export function normaliseBackward(given: Backward): Gradients {
  const { x, stats, dy, moreDy, relu, output, byBatch, wanted } = given;
  const { gpu } = x;
  const extents = extentsOf(x.shape);
  const { channels } = extents;
  const needsSums = wanted.affine || (byBatch && wanted.x);
  // Where the gradient before the ReLU costs more than reading it, it is written once, for the residual and for dx.
  const keep = (relu || moreDy !== undefined) && (wanted.residual || (byBatch && wanted.x && (output !== undefined || moreDy !== undefined)));
  const sums = needsSums || (keep && !wanted.x); // the pass that adds up writes it
  const kept = keep ? Tensor.empty(gpu, x.shape) : undefined;
  const chunks = sums ? sumChunks(gpu, extents) : mapChunks(gpu, extents);
  const partial = sums ? Tensor.empty(gpu, [2, chunks.chunks, channels]) : undefined;
  // What is not written needs a binding all the same.
  const unused = Tensor.empty(gpu, [4]);
  const read = { x, stats, dy, y: output ?? x, more_dy: moreDy ?? dy };
  const constants = {
    RELU: relu ? 1 : 0, FROM_OUTPUT: output ? 1 : 0, ADD: moreDy ? 1 : 0, KEEP: kept ? 1 : 0,
  };
  const dx = wanted.x ? Tensor.empty(gpu, x.shape) : undefined;
  const written = { kept: kept ?? unused };
  if (dx && !byBatch) {
    const unusedSums = partial ?? Tensor.empty(gpu, [4]);
    run(gpu, 'backward_running', extents, { ...read, ...written, sums_out: unusedSums, out: dx }, { chunks, constants: { ...constants, SUMS: partial ? 1 : 0 } });
    if (!partial) unusedSums.dispose();
  } else if (partial) {
    run(gpu, 'backward_sums', extents, { ...read, ...written, sums_out: partial }, { chunks, constants });
  }
  unused.dispose();
  const [weight, bias] = partial ? [Tensor.empty(gpu, [channels]), Tensor.empty(gpu, [channels])] : [];
  if (partial && weight && bias) {
    run(gpu, 'backward_merge', extents, { partial, out: bias, second_out: weight }, { chunks });
    partial.dispose();
    if (dx && byBatch) {
      const after = kept ? { ...read, dy: kept, more_dy: kept } : read;
      const options = { chunks: mapChunks(gpu, extents), constants: kept ? { RELU: 0, FROM_OUTPUT: 0, ADD: 0 } : { RELU: constants.RELU, FROM_OUTPUT: 0, ADD: constants.ADD } };
      run(gpu, 'backward_batch', extents, { ...after, dbias: bias, dweight: weight, out: dx }, options);
    }
  }
  if (kept && !wanted.residual) kept.dispose();
  return { x: dx, weight, bias, residual: wanted.residual ? (kept ?? dy) : undefined };
}
