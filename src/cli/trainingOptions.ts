/** The options of training, from the command line to `FineTuneOptions`. */
import type { Command } from 'commander';
import { UsageError, suggest } from '../errors';
import { STANDARD_AUGMENTATION, type Augmentation } from '../data/augment';
import { scheduleName } from '../optim/schedule';
import { PRECISIONS, type Precision } from '../transfer/precision';
import type { FineTuneOptions } from '../transfer/types';
import { memorySize, number, oneOf } from './arguments';

export interface TrainingFlags {
  readonly plan: string;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly lr?: number;
  readonly optimizer?: 'sgd' | 'adamw';
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly schedule?: FineTuneOptions['schedule'];
  readonly labelSmoothing?: number;
  readonly clip?: number;
  readonly bn?: 'hold' | 'update';
  readonly augment?: Augmentation;
  readonly patience?: number;
  readonly seed?: number;
  readonly precision?: Precision;
  readonly microBatch?: number;
  readonly recompute?: boolean;
  readonly memory?: number;
}

const VIEWS = { crop: 'randomResizedCrop', flip: 'horizontalFlip', color: 'colorJitter' } as const;

/** `crop,flip,color`, any of them; by itself `--augment` means `crop,flip`. */
export function augmentation(text: string): Augmentation {
  const wanted = text.split(',').map((word) => word.trim()).filter((word) => word !== '');
  for (const word of wanted) {
    if (!Object.hasOwn(VIEWS, word)) throw new UsageError(`--augment does not know '${word}'.${suggest(word, Object.keys(VIEWS))}`);
  }
  if (wanted.length === 0) throw new UsageError('--augment needs at least one of crop, flip, color');
  const { randomResizedCrop, horizontalFlip } = STANDARD_AUGMENTATION;
  return {
    ...(wanted.includes('crop') && { randomResizedCrop }),
    ...(wanted.includes('flip') && { horizontalFlip }),
    ...(wanted.includes('color') && { colorJitter: { brightness: 0.3, contrast: 0.3, saturation: 0.3 } }),
  };
}

export function addTrainingOptions(command: Command): Command {
  return command
    .optionsGroup('What is trained:')
    .option('--plan <plan>', "head (the last layer), full, or a part's name: that part and all after it (layer4)", 'head')
    .option('--bn <state>', 'batch norm of trained parts: hold or update its statistics (default: update for full, else hold)', oneOf('--bn', ['hold', 'update']))
    .optionsGroup('How it is trained:')
    .option('--epochs <n>', 'passes over the images (default: 20 for head, else 10)', number('--epochs', { least: 1, whole: true }))
    .option('--batch-size <n>', 'images in a step (default: 32)', number('--batch-size', { least: 1, whole: true }))
    .option('--optimizer <name>', 'adamw or sgd (default: adamw)', oneOf('--optimizer', ['adamw', 'sgd']))
    .option('--lr <rate>', 'learning rate (default: 0.01 for head, else 0.001)', number('--lr', { above: 0 }))
    .option('--weight-decay <x>', 'weight decay (default: 0.01 for adamw, 0 for sgd)', number('--weight-decay', { least: 0 }))
    .option('--momentum <x>', 'momentum of sgd (default: 0.9)', number('--momentum', { least: 0, below: 1 }))
    .option('--nesterov', "Nesterov's momentum for sgd")
    .option('--schedule <name>', 'cosine, onecycle or constant (default: cosine)', scheduleName)
    .option('--label-smoothing <x>', 'share of the target spread over all classes (default: 0)', number('--label-smoothing', { least: 0, below: 1 }))
    .option('--clip <norm>', 'scale gradients down to this norm (default: never)', number('--clip', { above: 0 }))
    .option('--augment [views]', 'random views: any of crop,flip,color (by itself: crop,flip)', augmentation)
    .option('--patience <n>', 'stop after n epochs without a better one, 0 for never (default: 10)', number('--patience', { least: 0, whole: true }))
    .option('--seed <n>', 'the same seed on the same adapter gives the same bits (default: 0)', number('--seed', { least: 0, whole: true }))
    .optionsGroup('What memory it takes:')
    .option('--precision <type>', 'float16 keeps and computes what is not trained in half the bytes (default: float32)', oneOf('--precision', PRECISIONS))
    .option('--memory <size>', 'GPU memory to stay within, such as 512MB or 2GB: a batch then goes through in parts that fit', memorySize('--memory'))
    .option('--micro-batch <n>', 'images that go through the network at once; their gradients add up to the batch (default: the batch)', number('--micro-batch', { least: 1, whole: true }))
    .option('--recompute', 'compute blocks again in the backward instead of keeping their results: less memory, more time, the same model');
}

/** Only what was asked for; the library fills in the rest. */
export function trainingOptions(flags: TrainingFlags): FineTuneOptions {
  const { plan, epochs, batchSize, lr, optimizer: name, momentum, nesterov, weightDecay, schedule, labelSmoothing, clip, bn, augment, patience, seed, precision, microBatch, recompute, memory } = flags;
  if (name !== 'sgd' && (momentum !== undefined || nesterov)) {
    throw new UsageError(`${momentum === undefined ? '--nesterov' : '--momentum'} is for --optimizer sgd`);
  }
  const rates = { ...(lr !== undefined && { lr }), ...(weightDecay !== undefined && { weightDecay }) };
  const optimizer: FineTuneOptions['optimizer'] = name === 'sgd'
    ? { name, momentum: momentum ?? 0.9, ...(nesterov && { nesterov }), ...rates }
    : { name: 'adamw', ...rates };
  return {
    plan, optimizer,
    ...(epochs !== undefined && { epochs }), ...(batchSize !== undefined && { batchSize }), ...(schedule !== undefined && { schedule }),
    ...(labelSmoothing !== undefined && { labelSmoothing }), ...(clip !== undefined && { clipNorm: clip }), ...(bn !== undefined && { bn }),
    ...(augment !== undefined && { augment: augment === (true as unknown) ? augmentation('crop,flip') : augment }),
    ...(patience !== undefined && { patience }), ...(seed !== undefined && { seed }), ...(precision !== undefined && { precision }),
    ...(microBatch !== undefined && { microBatch }), ...(recompute !== undefined && { recompute }), ...(memory !== undefined && { memoryBudget: memory }),
  };
}
