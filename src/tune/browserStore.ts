/** What was tuned, kept in the browser's IndexedDB, by origin. A page that may not use it tunes for itself alone. */
import type { TuningStore } from './table';

const DATABASE = 'graft';
const STORE = 'tuning';

/** Tables in IndexedDB. Where there is none, or it is forbidden, nothing is kept; `update` warns of it. */
export function browserTuningStore(): TuningStore {
  return {
    async load(key) {
      // Where nothing can be kept, nothing was.
      return inStore<string | undefined>('readonly', (store, done) => {
        const request = store.get(key);
        request.onsuccess = () => done(typeof request.result === 'string' ? request.result : undefined);
      }).catch(() => undefined);
    },
    async update(key, change, warn) {
      try {
        // One transaction: IndexedDB lets no other writer of this store in between, in other tabs neither.
        await inStore('readwrite', (store, done) => {
          const request = store.get(key);
          request.onsuccess = () => {
            const text = change(typeof request.result === 'string' ? request.result : undefined);
            if (text === undefined) store.delete(key);
            else store.put(text, key);
            done(undefined);
          };
        });
        return true;
      } catch (error) {
        warn(`what is tuned cannot be kept in this browser (${error instanceof Error ? error.message : String(error)}); it counts for this page only`);
        return false;
      }
    },
  };
}

/** Runs `fn` in a transaction; resolves with what it passed to `done`, when the transaction is complete. */
async function inStore<T>(mode: 'readonly' | 'readwrite', fn: (store: IDBObjectStore, done: (value: T) => void) => void): Promise<T> {
  if (typeof indexedDB === 'undefined') throw new Error('there is no IndexedDB');
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      // Whoever only looks leaves no empty database behind.
      if (mode === 'readwrite') request.result.createObjectStore(STORE);
      else request.transaction?.abort();
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database does not open'));
    request.onblocked = () => reject(new Error('another page holds an older database'));
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      let value: T;
      let given = false;
      transaction.oncomplete = () => (given ? resolve(value) : reject(new Error('the transaction did nothing')));
      transaction.onerror = () => reject(transaction.error ?? new Error('the transaction failed'));
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was ended'));
      fn(transaction.objectStore(STORE), (result) => {
        value = result;
        given = true;
      });
    });
  } finally {
    database.close();
  }
}
