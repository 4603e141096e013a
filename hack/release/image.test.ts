import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// What hack/image.sh asks of buildah, with one in its place that says what it is asked.

const script = join('hack', 'image.sh');
let tools: string;

beforeEach(() => {
  tools = mkdtempSync(join(tmpdir(), 'tools-'));
  for (const name of ['sh', 'readlink', 'dirname'])
    symlinkSync(`/usr/bin/${name}`, join(tools, name));
});

afterEach(() => rmSync(tools, { recursive: true }));

function image(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(script, argv, {
    encoding: 'utf8',
    env: { PATH: tools, ...env },
  });
  return { status, stdout, stderr };
}

function placeBuildah(): void {
  const path = join(tools, 'buildah');
  writeFileSync(path, '#!/bin/sh\necho "$@"\n');
  chmodSync(path, 0o755);
}

test('without buildah it is said to be skipped', () => {
  expect(image(['us:1'])).toEqual({
    status: 0,
    stdout: '',
    stderr: 'hack/image.sh: skipped: there is no buildah here\n',
  });
});

test('the image is built in chroot isolation', () => {
  placeBuildah();
  expect(image(['us:1', '--arch=arm64']).stdout).toBe(
    'build --isolation chroot --tag us:1 --arch=arm64 .\n',
  );
});

test('IMAGE_ARCH is the processor that it is built for', () => {
  placeBuildah();
  expect(image(['us:1', '--quiet'], { IMAGE_ARCH: 'arm64' }).stdout).toBe(
    'build --isolation chroot --tag us:1 --arch arm64 --quiet .\n',
  );
});

test('bases are build arguments, which the Dockerfile takes', () => {
  placeBuildah();
  const bases = { BUILD_IMAGE: 'one', BASE_IMAGE: 'two', BUILDAH_ISOLATION: 'oci' };
  expect(image(['us:1'], bases).stdout).toBe(
    'build --isolation oci --tag us:1 --build-arg BASE_IMAGE=two --build-arg BUILD_IMAGE=one .\n',
  );
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const froms = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(froms).toEqual(['${BASE_IMAGE}', '${BUILD_IMAGE}', 'debian']);
  for (const name of ['BUILD_IMAGE', 'BASE_IMAGE']) expect(dockerfile).toMatch(`ARG ${name}=`);
});

test('without a tag it says how it is used', () => {
  expect(image([])).toMatchObject({
    status: 2,
    stderr: 'usage: hack/image.sh TAG [ARGUMENT...]\n',
  });
});
