/**
 * Tells a ResNet's architecture from the names and shapes of its tensors alone, so that a dropped file needs no
 * settings. Names are torchvision's (see names.ts). Definitions: torchvision/models/resnet.py.
 */
import { formatShape } from '../errors';
import { quote } from './byteSource';
import type { WeightsFile } from './weightsFile';

export type ArchitectureName =
  | 'resnet18' | 'resnet34' | 'resnet50' | 'resnet101' | 'resnet152' | 'resnext50_32x4d' | 'wide_resnet50_2';

export interface Architecture {
  readonly arch: ArchitectureName;
  /** Outputs of `fc`; undefined when the file has no classifier. */
  readonly numClasses: number | undefined;
  /** Channels after the first convolution: 64 for the published networks. */
  readonly width: number;
}

export type Shapes = ReadonlyMap<string, readonly number[]>;

interface Design {
  readonly arch: ArchitectureName;
  readonly blocks: readonly number[];
  readonly bottleneck: boolean;
  /** Groups of the 3x3 convolutions, and its channels as a multiple of the stage's. */
  readonly groups: number;
  readonly widening: number;
}

const DESIGNS: readonly Design[] = [
  { arch: 'resnet18', blocks: [2, 2, 2, 2], bottleneck: false, groups: 1, widening: 1 },
  { arch: 'resnet34', blocks: [3, 4, 6, 3], bottleneck: false, groups: 1, widening: 1 },
  { arch: 'resnet50', blocks: [3, 4, 6, 3], bottleneck: true, groups: 1, widening: 1 },
  { arch: 'resnet101', blocks: [3, 4, 23, 3], bottleneck: true, groups: 1, widening: 1 },
  { arch: 'resnet152', blocks: [3, 8, 36, 3], bottleneck: true, groups: 1, widening: 1 },
  { arch: 'resnext50_32x4d', blocks: [3, 4, 6, 3], bottleneck: true, groups: 32, widening: 2 },
  { arch: 'wide_resnet50_2', blocks: [3, 4, 6, 3], bottleneck: true, groups: 1, widening: 2 },
];

/** Shapes of a file's tensors by name. */
export function shapesOf(file: WeightsFile): Map<string, readonly number[]> {
  return new Map(file.names.map((name) => [name, file.info(name).shape]));
}

/** The architecture these shapes belong to, or undefined when it is none that Graft builds. */
export function detectArchitecture(shapes: Shapes): Architecture | undefined {
  const width = shapes.get('conv1.weight')?.[0];
  const fc = shapes.get('fc.weight');
  if (width === undefined || !is(shapes, 'conv1.weight', [width, 3, 7, 7])) return undefined;
  const blocks = countBlocks(shapes);
  const design = DESIGNS.find((candidate) => fits(candidate, shapes, blocks, width));
  if (design === undefined) return undefined;
  const features = width * 8 * (design.bottleneck ? 4 : 1);
  if (fc && !is(shapes, 'fc.weight', [fc[0], features])) return undefined;
  return { arch: design.arch, numClasses: fc?.[0], width };
}

/** Why `detectArchitecture` found none, in a clause fit for an error message. */
export function unknownArchitecture(shapes: Shapes): string {
  if (shapes.has('conv1.0.weight')) return "its first layer is a stack of three convolutions (timm's ResNet-D), which Graft has no model for";
  const stem = shapes.get('conv1.weight');
  if (!stem) return `it has no 'conv1.weight', so it is not a ResNet${shapes.size > 0 ? ` (its first tensor is ${quote([...shapes.keys()][0])})` : ''}`;
  if (stem.length !== 4 || stem[2] !== 7 || stem[3] !== 7) return `its 'conv1.weight' is ${formatShape(stem)}, not a 7x7 convolution (a ResNet for small images?)`;
  if (stem[1] !== 3) return `its first convolution takes ${stem[1]} channels, not the 3 of colour images`;
  const blocks = countBlocks(shapes);
  const kind = shapes.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic';
  return `its blocks (${kind}, ${formatShape(blocks)}) or their widths are those of no ResNet-18, -34, -50, -101 or -152, ResNeXt-50 32x4d or Wide-ResNet-50-2`;
}

/** Blocks in each of the four stages. */
function countBlocks(shapes: Shapes): number[] {
  const blocks = [0, 0, 0, 0];
  for (const name of shapes.keys()) {
    const match = /^layer([1-4])\.(\d{1,3})\.conv1\.weight$/.exec(name);
    if (match) blocks[Number(match[1]) - 1] = Math.max(blocks[Number(match[1]) - 1], Number(match[2]) + 1);
  }
  return blocks;
}

function fits({ blocks, bottleneck, groups, widening }: Design, shapes: Shapes, counted: number[], width: number): boolean {
  if (blocks.some((count, stage) => count !== counted[stage])) return false;
  if (shapes.has('layer1.0.conv3.weight') !== bottleneck) return false;
  return blocks.every((_, stage) => {
    const planes = width * 2 ** stage;
    const inner = planes * widening;
    const block = `layer${stage + 1}.1`;
    if (!bottleneck) return is(shapes, `${block}.conv1.weight`, [planes, planes, 3, 3]);
    return is(shapes, `${block}.conv1.weight`, [inner, planes * 4, 1, 1])
      && is(shapes, `${block}.conv2.weight`, [inner, inner / groups, 3, 3])
      && is(shapes, `${block}.conv3.weight`, [planes * 4, inner, 1, 1]);
  });
}

function is(shapes: Shapes, name: string, shape: readonly number[]): boolean {
  const actual = shapes.get(name);
  return actual !== undefined && actual.length === shape.length && actual.every((extent, axis) => extent === shape[axis]);
}
