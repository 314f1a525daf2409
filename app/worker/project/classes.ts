/** Changes to a project's classes, as functions from one list to the next. */
import { UsageError } from '../../../src/index';
import type { ClassInfo, ImageId, ImageInfo } from '../../shared/protocol';

const MAX_NAME = 100;

/** A name without what cannot be seen, at most so long. */
export function tidyName(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').replace(/\s+/g, ' ').trim().slice(0, MAX_NAME);
}

/** @throws UsageError for a name that is empty or taken. */
export function checkedName(classes: readonly ClassInfo[], wanted: string, but?: number): string {
  const name = tidyName(wanted);
  if (name === '') throw new UsageError('A class needs a name.');
  const same = classes.find((one) => one.id !== but && one.name.toLowerCase() === name.toLowerCase());
  if (same) throw new UsageError(`There is a class called '${same.name}' already; choose another name.`);
  return name;
}

/** @throws UsageError where there is none. */
export function classById(classes: readonly ClassInfo[], id: number): ClassInfo {
  const found = classes.find((one) => one.id === id);
  if (!found) throw new UsageError(`There is no class with number ${id} any more.`);
  return found;
}

/** The class of this name, whatever the case of its letters. */
export function classByName(classes: readonly ClassInfo[], name: string): ClassInfo | undefined {
  const wanted = tidyName(name).toLowerCase();
  return classes.find((one) => one.name.toLowerCase() === wanted);
}

export function withImages(classes: readonly ClassInfo[], id: number, images: readonly ImageInfo[]): ClassInfo[] {
  return classes.map((one) => (one.id === id ? { ...one, images: [...one.images, ...images] } : one));
}

export function withoutImages(classes: readonly ClassInfo[], ids: ReadonlySet<ImageId>): ClassInfo[] {
  return classes.map((one) => (one.images.some(({ id }) => ids.has(id)) ? { ...one, images: one.images.filter(({ id }) => !ids.has(id)) } : one));
}

export function moved(classes: readonly ClassInfo[], ids: ReadonlySet<ImageId>, to: number): ClassInfo[] {
  classById(classes, to);
  const chosen = classes.filter(({ id }) => id !== to).flatMap(({ images }) => images.filter(({ id }) => ids.has(id)));
  return withImages(withoutImages(classes, new Set(chosen.map(({ id }) => id))), to, chosen);
}

export function imagesOf(classes: readonly ClassInfo[]): ImageInfo[] {
  return classes.flatMap(({ images }) => images);
}
