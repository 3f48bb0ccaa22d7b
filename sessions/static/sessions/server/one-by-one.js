/** Calls that do not overlap. */

/**
 * A call during a run has one more run follow it, however many such calls there are.
 * @param {() => Promise<void>} run
 */
export function oneByOne(run) {
  let isRunning = false;
  let isWanted = false;
  return async () => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await run();
    }
    isRunning = false;
  };
}
