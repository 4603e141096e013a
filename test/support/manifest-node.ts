import { expect } from 'vitest';
import { ManifestFile } from './manifests.ts';
import { createNamespace } from './namespace.ts';
import { Program } from './program.ts';

/** How the program is started: words before its own, and flags. */
export interface Conditions {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
}

/** A node in a namespace of its own, whose objects come from a manifest. At first there are none. */
export class ManifestNode {
  readonly namespace = createNamespace();
  readonly manifests = new ManifestFile();
  #program: Program | undefined;

  constructor() {
    this.manifests.write([]);
  }

  /** Starts the program. One is ended at the latest when the node is taken away. */
  async start({ before = [], flags = [] }: Conditions): Promise<Program> {
    const options = { before, flags: [this.manifests.flag, ...flags] };
    this.#program = await Program.start(this.namespace, options);
    return this.#program;
  }

  /** Starts the program and expects that it ends with status 1 and one line, in which something is said. */
  async expectRefusal(conditions: Conditions, says: string): Promise<void> {
    const started = await this.start(conditions);
    expect(await started.ended()).toEqual({ status: 1, signal: null });
    const complaints = started.output.split('\n').filter((line) => !/^[IW]\d{4} |^$/.test(line));
    expect(complaints).toEqual([expect.stringContaining(says)]);
    expect(complaints[0]).toMatch(/^kube-proxy: /);
  }

  /** Takes it away, with the program that was started last. */
  async remove(): Promise<void> {
    await this.#program?.end('SIGKILL');
    this.namespace.remove();
    this.manifests.remove();
  }
}

/** A shell that does something to its own view of the file system, then becomes the program. */
export function inMountNamespace(line: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-ec', `${line}; exec "$@"`, 'sh'];
}
