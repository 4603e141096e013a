import { writeFileSync } from 'node:fs';

/** Names this process kube-proxy for ps, pgrep and pidof. Under Node its name is `MainThread`, and its command line begins with `node`. */
export function nameProcess(argv: readonly string[]): void {
  process.title = ['kube-proxy', ...argv].join(' ');
  try {
    // Setting the title has also named the thread, by the first 15 bytes of the command line.
    writeFileSync('/proc/self/comm', 'kube-proxy');
  } catch {
    // Without /proc there is no ps either.
  }
}
