/**
 * Features of a frozen trunk, computed once an image. The key is a fingerprint of everything they depend on (trunk
 * weights and statistics, architecture, preprocessing) and the image's content hash, so a changed weight misses.
 */
import type { StateDict } from '../layers/module';
import type { Preprocessing } from '../data/preprocess';

/** Features by image hash, [numFeatures] each. */
export type Features = Map<string, Float32Array>;

/** Where features outlive a run. A store that cannot be read gives an empty map: features can always be computed again. */
export interface FeatureStore {
  load(fingerprint: string): Promise<Features>;
  /** Adds features that `load` did not have: several times in a long pass. */
  add(fingerprint: string, features: ReadonlyMap<string, Float32Array>): Promise<void>;
}

/** Hex digest of the trunk and of how images are prepared for it. `trunk` is the state dict without `fc`. */
export function trunkFingerprint(architecture: string, trunk: StateDict, preprocessing: Preprocessing): Promise<string> {
  return digest(JSON.stringify(['features 1', architecture, preprocessing]), trunk);
}

/** SHA-256, in hex, of a text and of tensors: names, types, shapes and bytes. Step counters do not count. */
export async function digest(text: string, state: StateDict): Promise<string> {
  const lines = [text];
  for (const [name, { dtype, shape, data }] of state) {
    if (name.endsWith('num_batches_tracked')) continue;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    lines.push(`${name} ${dtype} ${shape.join('x')} ${await sha256(bytes)}`);
  }
  return sha256(new TextEncoder().encode(lines.join('\n')));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
