/** The published weights as people choose them. Their table is small and brings nothing of the engine along. */
import { PUBLISHED_WEIGHTS, type PublishedWeights } from '../../../../src/weights/manifest';

const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^resnet(\d+)$/, 'ResNet-$1'],
  [/^resnext50_32x4d$/, 'ResNeXt-50 32x4d'],
  [/^wide_resnet50_2$/, 'Wide ResNet-50-2'],
];

/** The smallest first. */
export const PUBLISHED: readonly PublishedWeights[] = [...PUBLISHED_WEIGHTS].sort((a, b) => a.sizeMiB - b.sizeMiB || a.acc1 - b.acc1);

/** `ResNet-18` of `resnet18`. */
export function architectureTitle(name: string): string {
  const found = FAMILIES.find(([pattern]) => pattern.test(name));
  return found ? name.replace(found[0], found[1]) : name;
}

/** `ResNet-50, V2`. */
export function publishedTitle({ arch, enumName }: PublishedWeights): string {
  const version = /_(V\d+)$/.exec(enumName)?.[1];
  return `${architectureTitle(arch)}${version ? `, ${version}` : ''}`;
}

/** Bytes, from the table's units of 2^20. */
export function sizeOf({ sizeMiB }: PublishedWeights): number {
  return sizeMiB * 2 ** 20;
}
