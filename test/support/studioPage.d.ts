/** What a page of the studio leaves for tests and the curious. Only code that runs in the page sees it. */
import type { StudioApi, StudioState } from '../../app/shared/protocol';

declare global {
  const graft: { readonly studio: StudioApi; readonly state: { readonly [K in keyof StudioState]: { readonly value: StudioState[K] } } };
}
