/** A run in words: the plan, what it is doing, and how it ended. */
import { bytes, count, counted, duration, percent } from '../../../../src/report/format';
import { commonestShare, wilsonInterval } from '../../../../src/report/statistics';
import type { LiveRun, RunState } from '../../../shared/protocol';

export function planWords(plan: string): string {
  if (plan === 'head') return 'Only the head, the last layer, is trained. The rest stays as it was, so each picture goes through it once.';
  if (plan === 'full' || plan === 'conv1') return 'The whole network is trained, from the first layer to the head.';
  return `Trained are ${partWords(plan)} and all that comes after; what comes before stays as it was.`;
}

/** `layer3.1` as `block 2 of layer3`. */
function partWords(part: string): string {
  const [stage, block] = part.split('.');
  return block !== undefined && /^\d+$/.test(block) ? `block ${Number(block) + 1} of ${stage}` : part;
}

/** `Computing features: 84 of 120 pictures`. */
export function phaseWords({ phase, done, total, epoch, epochs, paused }: LiveRun): string {
  const words = {
    preparing: 'Preparing: reading the pictures and planning the memory',
    features: `Computing features: ${count(done)} of ${counted(total, 'picture')}`,
    training: `Training: epoch ${Math.max(1, epoch)} of ${epochs}`,
    finishing: 'Finishing: judging the held-out pictures with the best epoch',
  }[phase];
  return paused ? `Paused. ${words}` : words;
}

export interface Outcome {
  /** `91.7 %`; null where nothing was held out. */
  readonly accuracy: string | null;
  /** Under it: of how many pictures, and how sure that is. */
  readonly certainty: string;
  /** How it ended and what was kept, a sentence each. */
  readonly sentences: readonly string[];
  /** Why it broke off, or that nothing came of it; null when it went as planned. */
  readonly warning: string | null;
  readonly facts: readonly (readonly [string, string])[];
}

type Ended = Extract<RunState, { kind: 'ended' }>;

export function outcomeOf({ result, validation }: Ended): Outcome {
  const { recipe, history, bestEpoch, ended, reason } = result;
  const sentences: string[] = [];
  if (validation && validation.count > 0) sentences.push(`Always naming the most frequent class would be right for ${percent(commonestShare(validation))} of them.`);
  if (ended === 'finished') sentences.push(`All ${counted(recipe.epochs, 'epoch')} were run.`);
  if (ended === 'early') sentences.push(`It ended early, after ${history.length} of ${counted(recipe.epochs, 'epoch')}: ${recipe.patience} in a row were no better.`);
  if (ended === 'interrupted') sentences.push(`You stopped it after ${history.length} of ${counted(recipe.epochs, 'epoch')}.`);
  if (bestEpoch > 0) sentences.push(history[bestEpoch - 1]?.validationAccuracy != null ? `Kept is epoch ${bestEpoch}, the best on the held-out pictures.` : `Kept is epoch ${bestEpoch}.`);
  const warning = ended === 'diverged' ? `Training broke off: ${reason ?? 'the loss was no longer a number'}.` : bestEpoch === 0 ? 'No epoch was finished, so the network is as it was before.' : null;
  const accuracy = judged(result, validation);
  return { ...accuracy, sentences, warning, facts: factsOf(result) };
}

function factsOf({ recipe, parameters: { trainable, frozen }, features, images, seconds, peakBytes, batchNorm, memory }: Ended['result']): Outcome['facts'] {
  return [
    ['Learned from', counted(images.train, 'picture')],
    ['Took', duration(seconds)],
    ['Trained', counted(trainable.elements, 'parameter')],
    ['Left as it was', frozen.elements === 0 ? 'nothing' : counted(frozen.elements, 'parameter')],
    ...(features ? [['Features', `${count(features.computed)} computed${features.reused > 0 ? `, ${count(features.reused)} kept from before` : ''}`] as const] : [['Batch norms', `${batchNorm.held} of ${batchNorm.total} held`] as const]),
    ['GPU memory', `at most ${bytes(peakBytes)}`],
    ...(memory.microBatch < recipe.batchSize ? [['At a time', counted(memory.microBatch, 'picture')] as const] : []),
  ];
}

/** Where a run was resumed and stopped before a better epoch, its history knows the accuracy that it no longer has the pictures for. */
function judged({ history, bestEpoch, images }: Ended['result'], validation: Ended['validation']): Pick<Outcome, 'accuracy' | 'certainty'> {
  const recorded = history.find(({ epoch }) => epoch === bestEpoch)?.validationAccuracy ?? null;
  const accuracy = validation && validation.count > 0 ? validation.accuracy : recorded;
  const pictures = validation && validation.count > 0 ? validation.count : images.validation;
  if (accuracy === null || pictures === 0) {
    return { accuracy: null, certainty: 'No picture was held out or judged, so nothing tells how well it does on new pictures.' };
  }
  const right = Math.round(accuracy * pictures);
  const [low, high] = wilsonInterval(accuracy, pictures);
  const few = pictures < 100 ? 'With so few, the true share' : 'The true share';
  return {
    accuracy: percent(accuracy),
    certainty: `${count(right)} of ${counted(pictures, 'held-out picture')} right. ${few} for pictures like these lies between ${percent(low)} and ${percent(high)}, 19 times in 20.`,
  };
}
