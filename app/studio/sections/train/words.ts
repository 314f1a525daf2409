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
  /** A sentence each. */
  readonly sentences: readonly string[];
  /** True when it ended otherwise than planned. */
  readonly warned: boolean;
}

export function outcomeOf({ result, validation }: Extract<RunState, { kind: 'ended' }>): Outcome {
  const { recipe, history, bestEpoch, ended, reason, parameters, features, images, seconds, peakBytes, batchNorm, memory } = result;
  const sentences: string[] = [];
  if (validation && validation.count > 0) {
    const guess = commonestShare(validation);
    sentences.push(`Always naming the most frequent class would be right ${percent(guess)} of the time.`);
  }
  sentences.push({
    finished: `All ${counted(recipe.epochs, 'epoch')} were run.`,
    early: `It ended early, after ${history.length} of ${counted(recipe.epochs, 'epoch')}: ${recipe.patience} in a row were no better.`,
    interrupted: `You stopped it after ${counted(history.length, 'whole epoch')} of ${recipe.epochs}.`,
    diverged: `It broke off: ${reason ?? 'the loss was no longer a number'}.`,
  }[ended]);
  if (bestEpoch > 0) {
    sentences.push(validation ? `Kept is epoch ${bestEpoch}, the best on the held-out pictures.` : `Kept is epoch ${bestEpoch}, the last.`);
  } else {
    sentences.push('No epoch was finished, so the network is as it was before.');
  }
  const { trainable, frozen } = parameters;
  sentences.push(`It learned from ${counted(images.train, 'picture')} in ${duration(seconds)}. ${count(trainable.elements)} parameters were trained, ${count(frozen.elements)} stayed as they were.`);
  if (features) sentences.push(`Features of the frozen part were computed for ${counted(features.computed, 'picture')}${features.reused > 0 ? ` and taken from before for ${count(features.reused)}` : ''}.`);
  else if (batchNorm.held > 0 && batchNorm.held < batchNorm.total) sentences.push(`${batchNorm.held} of ${batchNorm.total} batch norms kept their statistics.`);
  sentences.push(`At most ${bytes(peakBytes)} of GPU memory were in use${memory.microBatch < recipe.batchSize ? `, ${memory.microBatch} pictures at a time` : ''}.`);
  return { ...judged(validation), sentences, warned: ended === 'diverged' || bestEpoch === 0 };
}

function judged(validation: Extract<RunState, { kind: 'ended' }>['validation']): Pick<Outcome, 'accuracy' | 'certainty'> {
  if (!validation || validation.count === 0) {
    return { accuracy: null, certainty: 'No picture was held out or judged, so nothing tells how well it does on new pictures.' };
  }
  const { accuracy, count: judgedCount } = validation;
  const right = Math.round(accuracy * judgedCount);
  const [low, high] = wilsonInterval(accuracy, judgedCount);
  const few = judgedCount < 100 ? 'With so few, the true share' : 'The true share';
  return {
    accuracy: percent(accuracy),
    certainty: `${count(right)} of ${counted(judgedCount, 'held-out picture')} right. ${few} for pictures like these lies between ${percent(low)} and ${percent(high)}, 19 times in 20.`,
  };
}
