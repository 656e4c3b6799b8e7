// Promises that a test settles or that must be settled in time.

/** No wait of a test depends on this: it only turns waiting for ever into a failure that says what did not happen. */
const PATIENCE = 30_000;

/** A promise with the functions that settle it. */
export function withResolvers() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/**
 * The result of a promise, or a failure that says what was waited for.
 *
 * @param {string | (() => string)} what
 */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited in vain: ${typeof what === 'function' ? what() : what}`));
    }, PATIENCE);
  });
  const result = Promise.race([promise, late]).finally(() => clearTimeout(timer));
  // A test that fails elsewhere does not come to await this; then it is no second failure.
  result.catch(() => {});
  return result;
}
