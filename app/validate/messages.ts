/** What the validate page and its worker say to each other. */
import type { AdapterFacts, Verdict } from '../../src/index';
import type { IncomingFile } from '../shared/protocol';

export type Task =
  /** Files as they were dropped. */
  | { readonly kind: 'files'; readonly files: readonly IncomingFile[] }
  /** The repository's own, from `index.json` at this address. `names`: only these of them. */
  | { readonly kind: 'own'; readonly url: string; readonly names?: readonly string[] };

export type Report =
  | { readonly kind: 'device'; readonly adapter: AdapterFacts }
  | { readonly kind: 'found'; readonly total: number }
  | { readonly kind: 'begins'; readonly name: string }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'done' }
  /** Nothing more will come. `device`: there is no WebGPU. */
  | { readonly kind: 'broken'; readonly message: string; readonly device: boolean };
