/** The worker: the engine, the project and its storage, off the page's thread. */
import { expose } from 'comlink';
import { Studio } from './studio';

// Held as long as the worker lives, so that the page learns of its end (studio/session.ts).
void navigator.locks?.request(self.name, () => new Promise(() => undefined));

expose(new Studio());
