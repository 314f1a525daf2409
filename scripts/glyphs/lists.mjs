// The glyph classes and font families of the pretraining set (base) and of the sample, read from lists.json.
import { readFileSync } from 'node:fs';

export const lists = JSON.parse(readFileSync(new URL('./lists.json', import.meta.url), 'utf8'));

/** Base classes in the order of their labels: `[{character, script, name}]`; names are code points, such as U+0041. */
export const baseClasses = Object.entries(lists.base.classes).flatMap(([script, characters]) =>
  [...characters].map((character) => ({
    character,
    script,
    name: `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  })));

/** Sample classes in the order of their labels: `[{character, name}]`; names are the folders' names. */
export const sampleClasses = Object.entries(lists.sample.classes).map(([name, character]) => ({ character, name }));
