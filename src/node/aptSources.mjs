/**
 * Reads APT's source entries, in both of their formats, and derives from the configured mirror's own entry the one for
 * backports. Debian 12's Mesa is too old for Dawn; the one in its backports works, and a mirror carries both.
 *
 * Plain JavaScript because set-up runs it before any package is installed; types are in aptSources.d.mts.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The name, without its ending, of the file that set-up adds beside the machine's own source files. */
export const BACKPORTS_FILE = 'graft-backports';

/**
 * Entries of a file in the one-line format: `deb [option=value ...] URI suite component ...`.
 * Comments, blank lines and `deb-src` lines give none.
 */
export function parseOneLine(text) {
  const entries = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri, suite, components] = match;
    entries.push({
      format: 'list',
      uris: [uri],
      suites: [suite],
      components: components.split(/\s+/).filter(Boolean),
      options: options.trim(),
      fields: [],
    });
  }
  return entries;
}

/** Entries of a file in the deb822 format (`.sources`). Stanzas switched off by `Enabled: no` give none. */
export function parseDeb822(text) {
  const entries = [];
  const lines = text.replaceAll('\r', '').split('\n').filter((line) => !line.startsWith('#'));
  for (const stanza of lines.join('\n').split(/\n\s*\n/)) {
    // A line that opens with a blank continues the field before it (a key written out in Signed-By does).
    const fields = stanza.trim().split(/\n(?=\S)/).map((field) => {
      const colon = field.indexOf(':');
      // The text after the colon as it stands: a key may begin on the next line.
      return { name: field.slice(0, colon).trim(), value: field.slice(colon + 1).trimEnd() };
    });
    const value = (name) => fields.find((f) => f.name.toLowerCase() === name)?.value.trim() ?? '';
    const words = (name) => value(name).split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb')) continue;
    if (/^(no|false|off|0|without|disable)$/i.test(value('enabled'))) continue;
    entries.push({
      format: 'sources',
      uris: words('uris'),
      suites: words('suites'),
      components: words('components'),
      options: '',
      fields,
    });
  }
  return entries;
}

/** All enabled binary entries of an APT configuration folder (`/etc/apt`). Unreadable files are passed over. */
export function readAptSources(folder = '/etc/apt') {
  const entries = [];
  const read = (path, parse) => {
    try {
      entries.push(...parse(readFileSync(path, 'utf8')));
    } catch {
      // A source that we may not read cannot help us; APT itself will speak up if it matters.
    }
  };
  read(join(folder, 'sources.list'), parseOneLine);
  const parts = join(folder, 'sources.list.d');
  let names = [];
  try {
    names = readdirSync(parts).sort();
  } catch {
    // No such folder: a minimal system with sources.list alone.
  }
  for (const name of names) {
    // APT reads these two endings and no others.
    if (name.endsWith('.list')) read(join(parts, name), parseOneLine);
    if (name.endsWith('.sources')) read(join(parts, name), parseDeb822);
  }
  return entries;
}

/** Whether an enabled entry offers the main part of this release's backports already. */
export function hasBackports(entries, codename) {
  const names = [`${codename}-backports`, 'stable-backports', 'oldstable-backports'];
  return entries.some((e) => e.components.includes('main') && e.suites.some((suite) => names.includes(suite)));
}

/**
 * The file that adds this release's backports, derived from the entry of the release itself: same mirror, same key.
 * Returns `{ name, text, line }` (`line`: the same in the one-line format, for a command to print, or null where it
 * cannot be said in one line), or null when no entry of the release is configured.
 */
export function backportsSource(entries, codename) {
  const suites = [codename, 'stable', 'oldstable'];
  const has = (suite) => (e) => e.components.includes('main') && e.uris.length > 0 && e.suites.includes(suite);
  const entry = suites.map((suite) => entries.find(has(suite))).find((e) => e !== undefined);
  if (entry === undefined) return null;
  const suite = `${codename}-backports`;
  if (entry.format === 'list') {
    const line = `deb ${entry.options === '' ? '' : `[${entry.options}] `}${entry.uris[0]} ${suite} main`;
    return { name: `${BACKPORTS_FILE}.list`, text: `${line}\n`, line };
  }
  const replaced = { types: ' deb', suites: ` ${suite}`, components: ' main' };
  const text = entry.fields.map(({ name, value }) => `${name}:${replaced[name.toLowerCase()] ?? value}`).join('\n');
  const signedBy = entry.fields.find((f) => f.name.toLowerCase() === 'signed-by')?.value.trim() ?? '';
  const option = signedBy === '' ? '' : `[signed-by=${signedBy}] `;
  const line = /\s/.test(signedBy) ? null : `deb ${option}${entry.uris[0]} ${suite} main`;
  return { name: `${BACKPORTS_FILE}.sources`, text: `${text}\n`, line };
}
