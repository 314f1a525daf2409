/** Types of view.mjs. */
export interface Entry {
  readonly engine: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly text: string;
  /** Fastest to slowest; empty where they are the same. */
  readonly spread: string;
  /** The engine's time by Graft's in the same round: above 1, Graft is faster. */
  readonly ratio: number | null;
  readonly samples: number;
  readonly more?: string;
}
export interface Row {
  readonly label: string;
  readonly entries: readonly Entry[];
  /** Why an engine has no entry. */
  readonly failed: Readonly<Record<string, string>>;
  readonly detail?: string;
  readonly bound?: { readonly value: number; readonly text: string };
}
export interface Group {
  readonly title: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly rows: readonly Row[];
}
export interface SectionView {
  readonly lead: string;
  readonly groups: readonly Group[];
  readonly failed: Readonly<Record<string, string>>;
  readonly partial: string;
}
export declare function engineTitle(name: string): string;
export declare function sectionView(name: string, section: unknown): SectionView;
export declare function markdownOf(result: { readonly sections: Readonly<Record<string, unknown>> }, titles: Readonly<Record<string, string>>): string;
