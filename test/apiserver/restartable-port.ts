import { randomInt } from 'node:crypto';

/**
 * Listens at a port that can be listened at again later. The kernel gives ports from 32,768 on to whoever asks for any, so that one
 * of those may be somebody else's while its server is away; this one is below.
 */
export async function listenRestartably(listen: (port: number) => Promise<void>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(10_000, 30_000);
    try {
      await listen(port);
      return port;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || attempt === 20) throw error;
    }
  }
}
