/** The live line of a download. */
import { basename } from 'node:path';
import type { FetchOptions } from '../node/fetchWeights';
import { bytes } from '../report/format';
import { bar, type Terminal } from './terminal';

export function fetchProgress(terminal: Terminal): FetchOptions {
  return {
    onProgress: ({ file, received, total }) => {
      const share = total === undefined ? '' : `  ${bar(received / total)}`;
      terminal.live(`  downloading ${basename(file)}${share}  ${bytes(received)}${total === undefined ? '' : ` of ${bytes(total)}`}`);
    },
  };
}
