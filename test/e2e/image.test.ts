import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// The image as it is built where there are buildah and debootstrap, and no registry: its bases from Debian's packages, then the Dockerfile.

const tag = 'localhost/kube-proxy-test';
const tools = ['buildah', 'debootstrap'];
const missing = tools.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
if (process.getuid?.() !== 0) missing.push('root');
const canBuild = missing.length === 0;
let container = '';
let root = '';

function buildah(...argv: readonly string[]): string {
  return execFileSync('buildah', argv, { encoding: 'utf8' }).trim();
}

/** Runs a script of the image, whose bases are those made here. Shows what it says of errors. */
function build(script: string, ...argv: readonly string[]): void {
  const BUILD_IMAGE = 'localhost/kube-proxy-build';
  const BASE_IMAGE = 'localhost/kube-proxy-base';
  const env = { ...process.env, BUILD_IMAGE, BASE_IMAGE };
  execFileSync(script, argv, { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What a command says in a container of the image. */
function inside(...command: readonly string[]): string {
  return buildah('run', '--isolation', 'chroot', container, '--', ...command);
}

describe.skipIf(!canBuild)(
  `the image${canBuild ? '' : ` (skipped: there is no ${missing.join(', ')})`}`,
  () => {
    beforeAll(() => {
      build('hack/image-bases.sh');
      build('hack/image.sh', tag);
      container = buildah('from', tag);
      root = buildah('mount', container);
    }, 1_200_000);

    afterAll(() => {
      if (container !== '') buildah('rm', container);
    });

    test('starts the program, and says which version it is', () => {
      expect(inside('kube-proxy', '--version')).toMatch(/^Kubernetes v\d+\.\d+\.\d+\+ipvs\.\d+$/);
      const entrypoint = buildah('inspect', '--format', '{{.OCIv1.Config.Entrypoint}}', tag);
      expect(entrypoint).toBe('[/usr/local/bin/kube-proxy]');
    });

    test.each([
      ['iptables', '(nf_tables)'],
      ['iptables-legacy', '(legacy)'],
      ['ip6tables', '(nf_tables)'],
      ['ip6tables-legacy', '(legacy)'],
      ['modprobe', 'kmod'],
      ['conntrack', 'conntrack-tools'],
    ])('has %s', (program, words) => {
      expect(inside(program, '--version')).toContain(words);
    });

    test('starts the program through /go-runner, as kOps does, with its log in a file too', () => {
      const started = '/go-runner --log-file=/tmp/proxy.log --also-stdout kube-proxy --version';
      const version = inside('kube-proxy', '--version');
      expect(inside('sh', '-c', `${started} && cat /tmp/proxy.log`)).toBe(`${version}\n${version}`);
    });

    test('has what /go-runner needs to rotate a log, delete old ones and pass the status on', () => {
      const limits = '--log-file-size=1Ki --log-file-age=24h --flush-interval=10ms';
      const script = [
        'cd /tmp; touch -d "25 hours ago" seq-20060102-150405.log',
        `/go-runner --log-file=seq.log ${limits} sh -c 'seq 1000; sleep 1.1; echo last; exit 7'`,
        'echo status $?; ls seq*; sort -u seq*.log | wc -l; cat seq.log',
      ];
      const printed = inside('sh', '-c', script.join('\n'));
      expect(printed.replaceAll(/seq-2\d{7}-\d{6}/g, 'seq-DATE')).toBe(
        ['status 7', 'seq-DATE.log', 'seq.log', '1001', 'last'].join('\n'),
      );
    });

    test('has no tools to build with', () => {
      for (const tool of ['npm', 'cc', 'strip', 'curl'])
        expect(spawnSync('chroot', [root, 'sh', '-c', `command -v ${tool}`]).status, tool).not.toBe(
          0,
        );
    });

    test('says whose work is inside', () => {
      const names = inside('ls', '/usr/share/doc/kube-proxy').split('\n');
      expect(names).toEqual(['LICENSE', 'THIRD-PARTY-LICENSES', 'sbom.cdx.json']);
    });

    test('has an SBOM with the packages of Debian that dpkg knows', () => {
      const text = inside('cat', '/usr/share/doc/kube-proxy/sbom.cdx.json');
      const { components } = JSON.parse(text) as { components: readonly { purl: string }[] };
      const format = 'pkg:deb/debian/${Package}@${Version}?arch=${Architecture}&distro=debian-\n';
      const known = inside('dpkg-query', '--show', `--showformat=${format}`).split('\n');
      const listed = components
        .map(({ purl }) => decodeURIComponent(purl))
        .filter((purl) => purl.startsWith('pkg:deb/'));
      expect(listed.map((purl) => purl.replace(/\d+$/, '')).toSorted()).toEqual(known.toSorted());
      expect(components.some(({ purl }) => purl.startsWith('pkg:npm/koffi@'))).toBe(true);
    });

    test('starts where its root file system may not be written', () => {
      const script = `mount --bind ${root} ${root} && mount -o remount,ro,bind ${root} && ! touch ${root}/x 2>&1 && chroot ${root} kube-proxy --help`;
      expect(
        execFileSync('unshare', ['-m', 'sh', '-c', script], {
          encoding: 'utf8',
          env: { PATH: process.env['PATH'] },
        }),
      ).toContain('--cluster-cidr');
    });

    test('weighs no more than 200 MB', () => {
      const images = JSON.parse(buildah('images', '--json', tag)) as readonly { size: string }[];
      const [amount = '', unit] = images[0]?.size.split(' ') ?? [];
      expect([Number(amount) <= 200, unit]).toEqual([true, 'MB']);
    });
  },
);
