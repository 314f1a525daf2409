/** The worker: the engine, the project and its storage, off the page's thread. */
import { expose } from 'comlink';
import { Studio } from './studio';

expose(new Studio());
