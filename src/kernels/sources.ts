/** All shaders as one number, so that what was measured with other shaders is noticed. */

const SOURCES: Readonly<Record<string, string>> = import.meta.glob<string>('../../shaders/**/*.wgsl', { query: '?raw', import: 'default', eager: true });

let hash: string | undefined;

/** Eight hexadecimal digits that change with any shader. */
export function shadersHash(): string {
  hash ??= hashText(Object.keys(SOURCES).sort().map((path) => `${path}\n${SOURCES[path]}`).join('\n'));
  return hash;
}

/** FNV-1a, 32 bits, in hexadecimal: notices change, keeps no secret. */
export function hashText(text: string): string {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, '0');
}
