import { spawnSync } from 'node:child_process';
import { access, closeSync, openSync } from 'node:fs';
import { setns } from '../../pkg/netlink/libc.ts';

const CLONE_NEWNET = 0x40000000;

/** A network namespace of a test's own, with `lo` up and nothing else in it. */
export interface Namespace {
  readonly name: string;
  /** For whoever opens sockets in it: `/run/netns/<name>`. */
  readonly path: string;
  /** Runs a command in it and returns what it printed; throws with its words if it fails. */
  run(command: string, ...args: readonly string[]): string;
  /**
   * Moves this thread into it, and all that it starts or opens synchronously (asynchronous file access is the thread pool's, which
   * stays outside: /proc/sys/net there is another). Returns the way back.
   */
  enter(): () => void;
  /** Takes it away; nobody may be in it. */
  remove(): void;
}

// The first use starts the thread pool, which stays where this thread is then: in a namespace of a test it would keep it alive for good.
access('/', () => undefined);

let created = 0;

/** Makes a namespace. Needs root. Whoever made it removes it. */
export function createNamespace(): Namespace {
  created++;
  const name = `kube-proxy-test-${process.pid}-${created}`;
  run('ip', 'netns', 'add', name);
  run('ip', '-n', name, 'link', 'set', 'lo', 'up'); // IPVS refuses destinations (EINVAL) as long as lo is down
  return namespaceOf(name);
}

/** A namespace that is there, by the name that `ip netns` knows. */
export function namespaceOf(name: string): Namespace {
  const path = `/run/netns/${name}`;
  return {
    name,
    path,
    run(command, ...args) {
      // `ip netns exec` would do the same, and mount a /sys of its own: under emulation that costs more than most commands.
      const leave = enter(path);
      try {
        return run(command, ...args);
      } finally {
        leave();
      }
    },
    enter: () => enter(path),
    remove: () => run('ip', 'netns', 'delete', name),
  };
}

/** Runs a command where this thread is and returns what it printed; throws with its words if it fails. */
export function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(' ')}: ${error?.message ?? `status ${status}: ${stderr}`}`,
  );
}

function enter(path: string): () => void {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(path, 'r');
  try {
    move(there);
  } finally {
    closeSync(there);
  }
  return () => {
    move(home);
    closeSync(home);
  };
}

function move(fd: number): void {
  if (setns(fd, CLONE_NEWNET) !== 0) throw new Error('setns failed');
}
