/** How much of some work is done at most between two turns of the event loop, and how often it turns; `count` returns how much is done. */
export async function stretches(
  count: () => number,
  work: () => Promise<unknown>,
): Promise<{ readonly longest: number; readonly turns: number }> {
  let last = count();
  let longest = 0;
  let turns = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, count() - last);
      last = count();
      turns++;
    }
  })();
  try {
    await work();
  } finally {
    isOver = true;
    await watching;
  }
  return { longest, turns };
}
