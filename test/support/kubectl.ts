import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const cached = ['.cache/kubectl', '.cache/kubectl/kubectl', '.cache/bin/kubectl'];

/** The real kubectl: `$KUBECTL`, or the one that was fetched into `.cache/`; `undefined` if there is none. */
export function findKubectl(): string | undefined {
  const root = resolve(import.meta.dirname, '../..');
  const candidates = [process.env['KUBECTL'] ?? '', ...cached.map((path) => join(root, path))];
  return candidates.find((path) => path !== '' && existsSync(path) && statSync(path).isFile());
}

/** What a command of kubectl printed, and how it ended. */
export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** kubectl with a kubeconfig and a home of its own, so that nothing of the machine's user is read or written. */
export class Kubectl implements Disposable {
  readonly #path: string;
  readonly #home = mkdtempSync(join(tmpdir(), 'kubectl-'));

  constructor(path: string, kubeconfig: string) {
    this.#path = path;
    writeFileSync(join(this.#home, 'config'), kubeconfig);
  }

  /** Installs a plugin that is a script of a shell: writes its text to a folder of PATH, where it finds this kubectl too. */
  install(name: string, text: string): void {
    const folder = join(this.#home, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text, { mode: 0o755 });
    if (!existsSync(join(folder, 'kubectl'))) symlinkSync(this.#path, join(folder, 'kubectl'));
  }

  /** Runs a command to its end, with `input` as its standard input. */
  async run(
    args: readonly string[],
    input = '',
    env: Readonly<Record<string, string>> = {},
  ): Promise<KubectlResult> {
    const child = this.start(args, env);
    child.stdin.end(input);
    const closed = new Promise<number | null>((done) => child.on('close', done));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await closed, stdout, stderr };
  }

  /** Starts a command that goes on, such as a watch; the caller ends it. */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ChildProcessWithoutNullStreams {
    return spawn(this.#path, args, { env: { ...this.env, ...env }, stdio: 'pipe' });
  }

  /** The environment of its commands. */
  get env(): Readonly<Record<string, string>> {
    return {
      PATH: `${join(this.#home, 'bin')}:/usr/bin:/bin`,
      HOME: this.#home,
      KUBECONFIG: join(this.#home, 'config'),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#home, { recursive: true, force: true });
  }
}
