/** Which pictures a network takes for alike. */
import type { Embedded } from '../../../src/index';
import type { EmbeddingMap } from '../../shared/protocol';
import { project } from './projection';

/**
 * Images of a dataset as points: those of alike features lie together. `classIds`: of the page's classes, by label. Points
 * are in the square from 0 to 1, in equal proportion. The same features give the same map. Takes seconds of the CPU, in
 * short turns, and no device: call it outside of the device's turn.
 */
export async function mapOf({ items, features }: Pick<Embedded, 'items' | 'features'>, classIds: readonly number[], { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void } = {}): Promise<EmbeddingMap> {
  const { method, points } = await project(features, signal, onProgress);
  return { method, points: items.map(({ hash, label }, i) => ({ id: hash, classId: classIds[label], x: points[i][0], y: points[i][1] })) };
}
