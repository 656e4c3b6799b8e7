// Keeps bytes in the browser, in IndexedDB.

const STORE = 'databases';
const KEY = 'example';

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function open() {
  const request = indexedDB.open('powersync-example', 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return finished(request);
}

/** The bytes that were kept; undefined if there are none. */
export async function load() {
  const database = await open();
  const bytes = await finished(database.transaction(STORE).objectStore(STORE).get(KEY));
  database.close();
  return bytes;
}

/** Keeps bytes in place of those that were kept; is done when they are safe. */
export async function keep(bytes) {
  const database = await open();
  const transaction = database.transaction(STORE, 'readwrite');
  transaction.objectStore(STORE).put(bytes, KEY);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  database.close();
}
