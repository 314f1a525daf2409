/** Whether training can begin, and if not, why. */
import { counted } from '../../../../src/report/format';
import type { ClassInfo, StudioState } from '../../../shared/protocol';

export interface Readiness {
  /** What has to be done first, a sentence each; empty when training can begin. */
  readonly blockers: readonly string[];
  /** What is worth knowing before. */
  readonly hints: readonly string[];
}

/** Below so many pictures in a class, its accuracy is hardly more than a guess. */
const FEW = 8;

type Known = { readonly [K in 'device' | 'base' | 'classes' | 'settings' | 'adding']: { readonly value: StudioState[K] } };

export function readiness(state: Known): Readiness {
  const [device, base, classes, settings] = [state.device.value, state.base.value, state.classes.value, state.settings.value];
  const blockers: string[] = [];
  const hints: string[] = [];
  if (device.kind === 'missing') blockers.push('Training needs WebGPU, which this browser does not offer here.');
  if (device.kind === 'opening') blockers.push('The graphics device is being opened.');
  if (base.kind === 'none' || base.kind === 'failed') blockers.push('Choose a base: the trained network to start from.');
  if (base.kind === 'loading') blockers.push(`The base is still being loaded (${base.title}).`);

  if (state.adding.value !== null) blockers.push('Pictures are still being added.');
  const filled = classes.filter(({ images }) => images.length > 0);
  const empty = classes.filter(({ images }) => images.length === 0);
  if (filled.length < 2) {
    if (state.adding.value !== null) return { blockers, hints };
    const have = filled.length === 0 ? 'there are no pictures yet' : `only “${filled[0].name}” has pictures`;
    blockers.push(`Add pictures of at least two classes: ${have}.`);
  } else {
    const single = filled.filter(({ images }) => images.length < 2);
    if (single.length > 0 && settings.validationFraction > 0) {
      blockers.push(`${names(single)} ${single.length === 1 ? 'has' : 'have'} a single picture: add more, so that one can be learned from and one held out.`);
    }
    const few = filled.filter(({ images }) => images.length >= 2 && images.length < FEW);
    if (few.length > 0) hints.push(`${names(few)} ${few.length === 1 ? 'has' : 'have'} fewer than ${FEW} pictures: training works, but its accuracy will be a rough guess.`);
    if (empty.length > 0) hints.push(`${names(empty)} ${empty.length === 1 ? 'has' : 'have'} no pictures and will be left out.`);
    const sizes = filled.map(({ images }) => images.length);
    if (Math.max(...sizes) >= 10 * Math.min(...sizes)) hints.push('Some classes have ten times as many pictures as others; the network will lean towards the large ones.');
    if (settings.validationFraction === 0) hints.push('No pictures are held out, so nothing will tell how well the network does on new ones.');
  }
  return { blockers, hints };
}

function names(classes: readonly ClassInfo[]): string {
  const quoted = classes.slice(0, 3).map(({ name }) => `“${name}”`);
  const rest = classes.length - quoted.length;
  if (rest > 0) return `${quoted.join(', ')} and ${counted(rest, 'other class')}`;
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted[quoted.length - 1]}`;
}
