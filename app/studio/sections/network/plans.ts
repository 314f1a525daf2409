/** Plans as places in the network: a plan trains one of its parts and all after it. */
import type { BlockInfo, ClassInfo } from '../../../shared/protocol';

/** The plan that trains from part `first` on. */
export function planFrom(blocks: readonly BlockInfo[], first: number): string {
  const { name } = blocks[first];
  if (first === 0) return 'full';
  return /^layer\d+\.0$/.test(name) ? name.slice(0, -2) : name;
}

/** The first part that a plan trains; the last one for a name that is not here. */
export function firstTrained(blocks: readonly BlockInfo[], plan: string): number {
  const last = blocks.length - 1;
  if (plan === 'full' || plan === 'bn1') return 0;
  const exact = blocks.findIndex(({ name }) => name === plan || plan.startsWith(`${name}.`));
  if (exact !== -1) return exact;
  const stage = blocks.findIndex(({ name }) => name.startsWith(`${plan}.`));
  return stage === -1 ? last : stage;
}

/** In words, as the start of a sentence or alone: `Head only`, `From layer3, block 2`. */
export function planTitle(blocks: readonly BlockInfo[], first: number): string {
  if (first === blocks.length - 1) return 'Head only';
  if (first === 0) return 'Everything';
  const [stage, block] = blocks[first].name.split('.');
  return block === undefined || block === '0' ? `From ${stage}` : `From ${stage}, block ${Number(block) + 1}`;
}

/** Plans to compare: the head, each stage, everything, and the one that is chosen. From the least trained to the most. */
export function comparedPlans(blocks: readonly BlockInfo[], chosen: number): number[] {
  const last = blocks.length - 1;
  const starts = blocks.flatMap(({ stage }, i) => (i === 0 || stage !== blocks[i - 1].stage ? [i] : []));
  // One block of the last stage: often the next step after the head.
  const places = new Set([...starts, chosen, ...(blocks[last - 1]?.stage.startsWith('layer') ? [last - 1] : [])]);
  return [...places].sort((a, b) => b - a);
}

export function parametersFrom(blocks: readonly BlockInfo[], first: number): number {
  return blocks.slice(first).reduce((sum, { parameters }) => sum + parameters, 0);
}

/** The network as it will be trained: its last layer made anew for the project's classes, where there are enough of them. */
export function withClasses(blocks: readonly BlockInfo[], classes: readonly ClassInfo[]): readonly BlockInfo[] {
  const own = classes.filter(({ images }) => images.length > 0).length;
  const head = blocks[blocks.length - 1];
  const [height, width, outputs] = head.output;
  if (own < 2 || own === outputs) return blocks;
  // Every output has as many parameters as any other.
  return [...blocks.slice(0, -1), { ...head, title: head.title.replace(`${outputs} classes`, `${own} classes`), parameters: (head.parameters / outputs) * own, output: [height, width, own] }];
}

/** How deep to train, by the pictures of the smallest class. Null without pictures. */
export function suggested(classes: readonly ClassInfo[]): { readonly plan: 'head' | 'layer4' | 'full'; readonly text: string } | null {
  const counts = classes.map(({ images }) => images.length).filter((images) => images > 0);
  if (counts.length === 0) return null;
  const least = Math.min(...counts);
  const has = `The smallest class has ${least === 1 ? 'one picture' : `${least} pictures`}`;
  if (least < FEW) return { plan: 'head', text: `${has}: start with the head alone, as more layers would learn them by heart.` };
  if (least < MANY) return { plan: 'layer4', text: `${has}: the last stage can learn from that many; compare it with the head alone.` };
  return { plan: 'full', text: `${has}: enough for training everything to pay, if you can wait; the last stage is the cheaper try.` };
}

const FEW = 30;
const MANY = 200;
