import { writeFileSync } from 'node:fs';

/** Calls this process kube-proxy for ps, pgrep and pidof; under Node it is `MainThread`, and its command line begins with `node`. */
export function nameProcess(argv: readonly string[]): void {
  process.title = ['kube-proxy', ...argv].join(' ');
  try {
    // Setting the title has named the thread after its first 15 bytes, arguments included.
    writeFileSync('/proc/self/comm', 'kube-proxy');
  } catch {
    // Without /proc nobody looks there.
  }
}
