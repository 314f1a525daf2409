/** Labelled files of a web page (drag and drop, file input, camera) as datasets. */
import { collect } from './collection';
import type { Candidate, ImageCollection, SkippedImage, SplitName } from './collection';
import { ImageError } from './dataset';
import { decodeBlob } from './decodeBrowser';
import type { Pixels } from './pixels';
import { preprocess } from './preprocess';

export interface LabelledFile {
  readonly label: string;
  readonly blob: Blob;
  /** Unique among the files; reports and messages call it so. */
  readonly name: string;
  readonly split?: SplitName;
}

export interface FromFilesOptions {
  /** Share of each class to validate on; default 0.2. */
  readonly validationFraction?: number;
  /** Another number gives another split; default: by content alone. */
  readonly splitSeed?: number;
  /** Decoder; default the browser's. */
  readonly decode?: (blob: Blob, name: string) => Promise<Pixels>;
}

/**
 * Training, validation and, where files say so, test datasets of the files. Images are decoded when they are loaded,
 * each time; their bytes stay with the browser.
 * @throws DataError when they cannot be trained on: see `collect`
 */
export async function fromFiles(files: readonly LabelledFile[], options: FromFilesOptions = {}): Promise<ImageCollection> {
  const { validationFraction = 0.2, splitSeed, decode = decodeBlob } = options;
  const candidates: Candidate[] = [];
  const skipped: SkippedImage[] = [];
  const blobs = new Map<string, Blob>();
  for (const { label, blob, name, split } of files) {
    if (blob.size === 0) {
      skipped.push({ path: name, reason: 'the file is empty (0 bytes)' });
      continue;
    }
    try {
      const hash = hex(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
      candidates.push({ name, label, hash, ...(split !== undefined && { split }) });
      blobs.set(hash, blob);
    } catch (cause) {
      skipped.push({ path: name, reason: `cannot be read (${cause instanceof Error ? cause.message : String(cause)})` });
    }
  }
  return collect({
    what: 'images',
    candidates,
    labels: files.map(({ label }) => label),
    found: files.length,
    skipped,
    warnings: [],
    validationFraction,
    ...(splitSeed !== undefined && { splitSeed }),
    load: async (item, preprocessing, augment) => {
      const blob = blobs.get(item.hash);
      if (blob === undefined) throw new ImageError(item.name, 'its file is no longer there');
      return preprocess(await decode(blob, item.name), preprocessing, augment);
    },
  });
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
