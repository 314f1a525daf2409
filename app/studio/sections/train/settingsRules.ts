/** Settings as people type them: what each value may be, what is wrong with one, and what its default is. */
import { STANDARD_AUGMENTATION, type Augmentation } from '../../../../src/data/augment';
import type { Settings } from '../../../shared/protocol';

/** A text read: its value, or what is wrong with it. */
export type Parsed<T> = { readonly value: T } | { readonly error: string };

interface NumberRule {
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
  /** `least` itself is not allowed. */
  readonly above?: boolean;
  /** `most` itself is not allowed. */
  readonly below?: boolean;
}

/** Fields that hold a number. The share of held-out pictures is typed in percent. */
export const RULES = {
  epochs: { least: 1, most: 10_000, whole: true },
  batchSize: { least: 1, most: 4096, whole: true },
  lr: { least: 0, most: 10, above: true },
  validationPercent: { least: 0, most: 90 },
  labelSmoothing: { least: 0, most: 1, below: true },
  seed: { least: 0, most: 0xffff_ffff, whole: true },
} as const satisfies Record<string, NumberRule>;

/** Reads a number; a comma may stand for the decimal point. */
export function parseNumber(text: string, rule: NumberRule): Parsed<number> {
  const value = Number(text.trim().replace(',', '.'));
  if (text.trim() === '' || !Number.isFinite(value)) return { error: `This must be a number${text.trim() === '' ? '' : `, not “${text.trim().slice(0, 20)}”`}.` };
  const { least, most, whole, above, below } = rule;
  if (whole && !Number.isInteger(value)) return { error: `This must be a whole number, not ${value}.` };
  if (value < least || (above && value === least)) return { error: above ? `This must be above ${least}, not ${value}.` : `This must be at least ${least}, not ${value}.` };
  if (value > most || (below && value === most)) return { error: below ? `This must be below ${most}, not ${value}.` : `This must be at most ${most}, not ${value}.` };
  return { value };
}

/** The same where an empty field means the plan's default. */
export function parseOptional(text: string, rule: NumberRule): Parsed<number | null> {
  return text.trim() === '' ? { value: null } : parseNumber(text, rule);
}

/** What `fineTune` takes where the settings leave it open. */
export function planDefaults(plan: string): { epochs: number; lr: number } {
  return plan === 'head' ? { epochs: 20, lr: 0.01 } : { epochs: 10, lr: 0.001 };
}

/** The parts of an augmentation as switches. */
export interface AugmentSwitches {
  readonly crop: boolean;
  readonly mirror: boolean;
  readonly colour: boolean;
}

/** Milder than torchvision's preset: of a few hundred pictures none should lose its subject. */
const CROP = { scale: [0.5, 1], ratio: STANDARD_AUGMENTATION.randomResizedCrop?.ratio ?? [3 / 4, 4 / 3] } as const;
const COLOUR = { brightness: 0.2, contrast: 0.2, saturation: 0.2 } as const;

export function switchesOf(augment: Augmentation | null): AugmentSwitches {
  return {
    crop: augment?.randomResizedCrop !== undefined,
    mirror: (augment?.horizontalFlip ?? 0) > 0,
    colour: Object.values(augment?.colorJitter ?? {}).some((value) => value > 0),
  };
}

/** Null when all are off. */
export function augmentationOf({ crop, mirror, colour }: AugmentSwitches): Augmentation | null {
  if (!crop && !mirror && !colour) return null;
  return { ...(crop && { randomResizedCrop: CROP }), ...(mirror && { horizontalFlip: 0.5 }), ...(colour && { colorJitter: COLOUR }) };
}

/** Settings under 'More settings' that are not at their defaults, so that a folded panel hides nothing. */
export function changedBelow(settings: Settings, defaults: Settings): number {
  return (['optimizer', 'schedule', 'labelSmoothing', 'seed', 'float16'] as const).filter((name) => settings[name] !== defaults[name]).length;
}
