/** The most CPU time that the thread takes between two turns of the event loop until something is done, in milliseconds. */
export async function longestTurn(until: Promise<unknown>): Promise<number> {
  let isOver = false;
  const end = () => void (isOver = true);
  until.then(end, end);
  let longest = 0;
  while (!isOver) {
    const start = process.threadCpuUsage();
    await new Promise((resolve) => setImmediate(resolve));
    const { user, system } = process.threadCpuUsage(start);
    longest = Math.max(longest, (user + system) / 1000);
  }
  return longest;
}
