/** Types of aptSources.mjs. */
export interface AptEntry {
  format: 'list' | 'sources';
  uris: string[];
  suites: string[];
  components: string[];
  /** What stood between the brackets of a one-line entry. */
  options: string;
  /** All fields of a deb822 stanza, as written. */
  fields: { name: string; value: string }[];
}

export interface BackportsSource {
  /** File name below /etc/apt/sources.list.d. */
  name: string;
  text: string;
  line: string | null;
}

export const BACKPORTS_FILE: string;
export function parseOneLine(text: string): AptEntry[];
export function parseDeb822(text: string): AptEntry[];
export function readAptSources(folder?: string): AptEntry[];
export function hasBackports(entries: readonly AptEntry[], codename: string): boolean;
export function backportsSource(entries: readonly AptEntry[], codename: string): BackportsSource | null;
