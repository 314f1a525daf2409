/** The picture that is looked at with the network's eyes: a dialog that any section can open. */
import { signal } from '@preact/signals';
import type { ImageId } from '../../../shared/protocol';

export interface LookedAt {
  /** An image of the project, or another picture. */
  readonly picture: ImageId | Blob;
  readonly name: string;
  /** Its class, where it has one. */
  readonly label?: string;
  /** What it was taken for, where that is known. */
  readonly predicted?: string;
}

export const looking = signal<LookedAt | null>(null);

export function lookAt(picture: LookedAt): void {
  looking.value = picture;
}
