/** The worker: the engine, the project and its storage, off the page's thread. */
import { expose } from 'comlink';
import { Studio } from './studio';

// Held for as long as the worker lives: that is how the page learns of its end, which no event tells.
void navigator.locks?.request(self.name, () => new Promise(() => undefined));

expose(new Studio());
