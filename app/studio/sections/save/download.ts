/** Files for the visitor: a name that every system takes, and the browser's own way of saving. */

/** The project's name as the beginning of a file's name. */
export function fileStem(project: string): string {
  const safe = project.normalize('NFC').replace(/[\\/:*?"<>|\u0000-\u001f\u007f]+/g, ' ').replace(/\s+/g, ' ').replace(/^[. ]+|[. ]+$/g, '');
  return [...safe].slice(0, 60).join('').trim() || 'graft';
}

/** Hands a file to the browser, which saves it or asks where. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  release(url);
}

/** Takes a URL back when what it was for has surely begun to read it. */
export function release(url: string): void {
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
