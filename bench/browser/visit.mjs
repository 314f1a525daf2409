/** What a visitor waits for, in a worker of its own: see lib/start.mjs. */
import * as graft from '../../src/index.ts';
import { startApart, startTogether } from '../lib/start.mjs';
import { serve } from './serve.mjs';

serve({
  visit: () => ({ actions: { visit: ({ url, how }) => (how === 'together' ? startTogether(graft, url) : startApart(graft, url, { cache: how === 'cold' ? 'reload' : 'default' })) } }),
});
