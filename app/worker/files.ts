/** Files that come with the site. Built or in development, a worker lies one folder below the site's root. */

const HERE = import.meta.url;

export function siteFile(name: string): string {
  return new URL(`../files/${name}`, HERE).href;
}
