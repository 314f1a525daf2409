/** What a stand-alone page knows of its model: written by the studio when it exports, read by the page. Plain JSON. */
import type { ModelCard } from '../../src/index';

export interface PageFacts {
  readonly format: 'graft-page-1';
  /** The project's name: the page's title. */
  readonly project: string;
  /** Of Graft. */
  readonly version: string;
  /** ISO 8601: when the page was saved. */
  readonly created: string;
  readonly card: Omit<ModelCard, 'training'>;
  /** Whether the weights were rounded to float16. */
  readonly half: boolean;
  /** Null where the run is not known. */
  readonly training: {
    readonly trained: number;
    /** Held-out pictures, and the share of them that was named right; null without. */
    readonly heldOut: { readonly count: number; readonly accuracy: number } | null;
    /** What was trained, as a phrase: `the last layer`. */
    readonly part: string;
  } | null;
  readonly weights: {
    readonly bytes: number;
    /** Bytes of one number. */
    readonly stride: number;
  };
}
