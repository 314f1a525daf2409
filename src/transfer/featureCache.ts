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
  /** Adds features that `load` did not have. */
  add(fingerprint: string, features: ReadonlyMap<string, Float32Array>): Promise<void>;
}

/** Hex digest of the trunk (all of `state` but `fc`) and of how images are prepared for it. */
export async function trunkFingerprint(architecture: string, state: StateDict, preprocessing: Preprocessing): Promise<string> {
  const digests: string[] = [JSON.stringify(['features 1', architecture, preprocessing])];
  for (const [name, { dtype, shape, data }] of state) {
    if (name.startsWith('fc.') || name.endsWith('num_batches_tracked')) continue;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    digests.push(`${name} ${dtype} ${shape.join('x')} ${await sha256(bytes)}`);
  }
  return sha256(new TextEncoder().encode(digests.join('\n')));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
