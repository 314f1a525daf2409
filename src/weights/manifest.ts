/**
 * torchvision's published ResNet weights: where they are, how to tell them, how their images are prepared.
 * The table is weights/manifest.json, made by scripts/reference/make_manifest.py from torchvision's own metadata.
 */
import manifestText from '../../weights/manifest.json?raw';
import { UsageError, suggest } from '../errors';
import type { ArchitectureName } from './architecture';

/** How images are prepared for these weights: torchvision's `ImageClassification` preset. */
export interface PublishedPreprocessing {
  /** The shorter side is resized to this, in pixels, antialiased. */
  readonly resizeSize: number;
  /** The centre square then cut out, in pixels. */
  readonly cropSize: number;
  readonly interpolation: 'bilinear' | 'bicubic';
  readonly antialias: boolean;
  /** Per channel (red, green, blue), of values in 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface PublishedWeights {
  /** `resnet18-f37072fd` */
  readonly name: string;
  /** torchvision's name: `ResNet18_Weights.IMAGENET1K_V1`. */
  readonly enumName: string;
  /** Whether torchvision's `DEFAULT` for this architecture means these. */
  readonly isDefault: boolean;
  readonly arch: ArchitectureName;
  /** `resnet18-f37072fd.pth` */
  readonly file: string;
  readonly url: string;
  /** First hex digits of the file's SHA-256: what torchvision publishes, and torch.hub checks. */
  readonly sha256Prefix: string;
  /** Size in units of 2^20 bytes, rounded to three decimals. */
  readonly sizeMiB: number;
  readonly numParams: number;
  /** Accuracy on ImageNet's validation images, in percent: the right class first, or among five. */
  readonly acc1: number;
  readonly acc5: number;
  readonly preprocessing: PublishedPreprocessing;
  /** The set of class names; see `imagenetClasses`. */
  readonly labels: 'imagenet-1k';
}

/** The table's own spelling. */
interface Row {
  readonly name: string;
  readonly enum: string;
  readonly default: boolean;
  readonly arch: ArchitectureName;
  readonly file: string;
  readonly url: string;
  readonly sha256_prefix: string;
  readonly size_mib: number;
  readonly num_params: number;
  readonly 'acc@1': number;
  readonly 'acc@5': number;
  readonly preprocessing: {
    readonly resize_size: number;
    readonly crop_size: number;
    readonly interpolation: 'bilinear' | 'bicubic';
    readonly antialias: boolean;
    readonly mean: readonly number[];
    readonly std: readonly number[];
  };
  readonly labels: 'imagenet-1k';
}

function fromRow(row: Row): PublishedWeights {
  const { resize_size: resizeSize, crop_size: cropSize, ...rest } = row.preprocessing;
  return {
    name: row.name, enumName: row.enum, isDefault: row.default, arch: row.arch, file: row.file, url: row.url,
    sha256Prefix: row.sha256_prefix, sizeMiB: row.size_mib, numParams: row.num_params, acc1: row['acc@1'], acc5: row['acc@5'],
    preprocessing: { resizeSize, cropSize, ...rest }, labels: row.labels,
  };
}

/** All published weights, by architecture and then version. */
export const PUBLISHED_WEIGHTS: readonly PublishedWeights[] =
  (JSON.parse(manifestText) as { weights: Row[] }).weights.map(fromRow);

/** The published weights that `name` is a name of, or undefined: see `publishedWeights`. */
export function findPublishedWeights(name: string): PublishedWeights | undefined {
  const wanted = name.toLowerCase();
  return PUBLISHED_WEIGHTS.find((weights) => namesOf(weights).some((known) => known.toLowerCase() === wanted));
}

/**
 * Published weights by name: `resnet18` (torchvision's default), `resnet18-f37072fd`, `resnet18-f37072fd.pth`,
 * `ResNet18_Weights.IMAGENET1K_V1`, `ResNet18_Weights.DEFAULT`, or the url; letter case does not matter.
 * @throws UsageError that suggests the nearest known name.
 */
export function publishedWeights(name: string): PublishedWeights {
  const found = findPublishedWeights(name);
  if (found) return found;
  throw new UsageError(`no published weights are named '${name}'.${suggest(name, PUBLISHED_WEIGHTS.flatMap(({ arch, name: full }) => [arch, full]))}`);
}

function namesOf({ name, file, url, enumName, arch, isDefault }: PublishedWeights): string[] {
  const names = [name, file, url, enumName];
  return isDefault ? [...names, arch, enumName.replace(/\.\w+$/, '.DEFAULT')] : names;
}

/** The 1000 ImageNet class names, in the order of the published networks' outputs. Loaded when first asked for. */
export async function imagenetClasses(): Promise<readonly string[]> {
  const { default: text } = await import('../../weights/imagenet_classes.json?raw');
  return JSON.parse(text) as string[];
}
