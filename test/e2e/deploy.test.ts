import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readCommandLine } from '../../pkg/config/command-line.ts';
import { load } from '../../pkg/config/load.ts';
import { findHelm, parseManifests, renderChart } from '../support/helm.ts';
import { operatorProblems } from '../support/kube/operator-schema.ts';
import { schemaProblems } from '../support/kube/schema.ts';
import { findKubectl } from '../support/kubectl.ts';

// What is in `deploy/`, rendered by the real tools: it is what the program takes, and asks for no more than the program uses.

const kubectl = findKubectl();
const helm = findHelm();

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: unknown;
  readonly spec?: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly hostNetwork: boolean;
        readonly tolerations: unknown;
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

function run(program: string, ...args: readonly string[]): readonly Manifest[] {
  return parseManifests(execFileSync(program, args, { encoding: 'utf8' }));
}

function kustomize(folder: string): readonly Manifest[] {
  return run(kubectl ?? '', 'kustomize', `deploy/${folder}`);
}

function chart(...set: readonly string[]): readonly Manifest[] {
  return renderChart(helm, set);
}

const kubeadmDaemonSet = 'test/fixtures/installers/kubeadm-daemonset.yaml';

/** kubeadm's DaemonSet after `--patches FOLDER`: kubeadm merges strategically, with the library that kubectl has too. */
function patchedByKubeadm(folder: string): Manifest {
  const [patched] = run(
    kubectl ?? '',
    ...['patch', '--local', `--filename=${kubeadmDaemonSet}`, '--type=strategic'],
    ...[`--patch-file=${folder}/kubeproxydaemonset+strategic.yaml`, '--output=yaml'],
  );
  if (patched === undefined) throw new Error('kubectl printed nothing');
  return patched;
}

/** A DaemonSet with other fields in the spec of its pods. */
function withPodSpec(manifest: Manifest, fields: Readonly<Record<string, unknown>>): unknown {
  const { spec } = manifest;
  const template = { ...spec?.template, spec: { ...spec?.template.spec, ...fields } };
  return { ...manifest, spec: { ...spec, template } };
}

/** Whether the API would take all of them; returns the kinds of which it is not known. */
async function checkSchemas(manifests: readonly Manifest[]): Promise<readonly string[]> {
  expect(manifests.length).toBeGreaterThan(0);
  const unknown: string[] = [];
  for (const manifest of manifests) {
    const object = { ...manifest };
    const problems = (await schemaProblems(object)) ?? (await operatorProblems(object));
    if (problems === undefined) unknown.push(manifest.kind);
    else expect([manifest.kind, problems]).toEqual([manifest.kind, []]);
  }
  return unknown.toSorted();
}

function only(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} of ${kind}`);
  return found[0];
}

/** What holds for every DaemonSet: it is one that can run, and its arguments are the program's. */
function checkDaemonSet(manifests: readonly Manifest[]): readonly Container[] {
  const { apiVersion, spec } = only(manifests, 'DaemonSet');
  if (spec === undefined) throw new Error('no spec');
  const { metadata, spec: pod } = spec.template;
  expect(apiVersion).toBe('apps/v1');
  expect(metadata.labels).toMatchObject(spec.selector.matchLabels);
  expect(pod.hostNetwork).toBe(true);
  expect(pod.tolerations).toEqual([{ operator: 'Exists' }]);
  const volumes = pod.volumes.map(({ name }) => name);
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  for (const { args = [], env = [], volumeMounts } of containers) {
    for (const { name } of volumeMounts) expect(volumes).toContain(name);
    expect(readCommandLine(args).action).toBe('run');
    for (const [, variable] of args.join(' ').matchAll(/\$\((\w+)\)/g))
      expect(env.map(({ name }) => name)).toContain(variable);
  }
  return containers;
}

/** What the program makes of the arguments, with the file that they name if they name one. */
function loaded({ args = [] }: Container, file?: string) {
  const command = readCommandLine(args);
  if (command.action !== 'run') throw new Error('no command');
  return load(command.given, file);
}

describe('the check of what the Prometheus operator takes', () => {
  const monitor = (endpoint: object) => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name: 'a' },
    spec: { selector: {}, endpoints: [endpoint] },
  });
  const rule = (fields: object) => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'a' },
    spec: { groups: [{ name: 'g', rules: [fields] }] },
  });

  test.each([
    ['a field that is not known', monitor({ porto: 'metrics' }), 'does not exist in type'],
    ['a duration that is none', monitor({ interval: '30 seconds' }), 'interval must match'],
    ['no expression', rule({ alert: 'A' }), 'required property expr'],
    ['a value of another type', rule({ expr: 'up', for: 15 }), 'for must be string'],
    ['labels that are no text', rule({ expr: 'up', labels: { a: 1 } }), 'labels/a must be string'],
    ['a rule in the place of a group', { ...rule({}), spec: { groups: ['a'] } }, 'groups/0'],
  ])('finds %s', async (_, object, problem) => {
    const problems = await operatorProblems(object);
    expect(problems?.join('\n')).toContain(problem);
  });

  test('takes what is right, and leaves other kinds to others', async () => {
    expect(await operatorProblems(monitor({ port: 'metrics', interval: '30s' }))).toEqual([]);
    expect(await operatorProblems(rule({ alert: 'A', expr: 'up == 0', for: '15m' }))).toEqual([]);
    expect(await operatorProblems({ apiVersion: 'v1', kind: 'Service' })).toBeUndefined();
  });
});

describe.skipIf(kubectl === undefined)('kubectl kustomize (skipped without kubectl)', () => {
  test.each([
    ['kubeadm', '/var/lib/kube-proxy/kubeconfig.conf'],
    ['rke2-k3s/rke2', '/var/lib/rancher/rke2/agent/kubeproxy.kubeconfig'],
    ['rke2-k3s/k3s', '/var/lib/rancher/k3s/agent/kubeproxy.kubeconfig'],
  ])('%s', (folder, kubeconfig) => {
    const manifests = kustomize(folder);
    const [container] = checkDaemonSet(manifests);
    if (container === undefined) throw new Error('no container');
    const { settings, violations, notices } = loaded(container);
    expect([violations, notices]).toEqual([[], []]);
    expect(settings['clientConnection.kubeconfig']).toBe(kubeconfig);
    expect(container.image).toBe('registry.example/kube-proxy-ipvs:1');
    // The API refuses a privileged container without privilege escalation, and seccomp does not hold for it.
    expect(container.securityContext).toEqual({ privileged: true, readOnlyRootFilesystem: true });
    expect(
      container.volumeMounts.some(({ mountPath }) => kubeconfig.startsWith(`${mountPath}/`)),
    ).toBe(true);
  });

  test.each(['kubeadm', 'rke2-k3s/rke2', 'rke2-k3s/k3s'])(
    'what %s makes is as the schemas have it',
    async (folder) => {
      expect(await checkSchemas(kustomize(folder))).toEqual([]);
    },
  );

  test('with our patch kubeadm swaps the image and nothing else', async () => {
    const before = parse(readFileSync(kubeadmDaemonSet, 'utf8')) as Manifest;
    const [container, ...others] = before.spec?.template.spec.containers ?? [];
    const patched = patchedByKubeadm('deploy/kubeadm/patches');
    expect(patched).toEqual(
      withPodSpec(before, {
        containers: [{ ...container, image: 'registry.example/kube-proxy-ipvs:1' }, ...others],
      }),
    );
    expect(await checkSchemas([patched])).toEqual([]);
  });

  test('with our patch for a change-over node by node kubeadm adds the affinity and nothing else', async () => {
    const before = parse(readFileSync(kubeadmDaemonSet, 'utf8')) as Manifest;
    const matchExpressions = [{ key: 'kube-proxy', operator: 'NotIn', values: ['ipvs-ts'] }];
    const required = { nodeSelectorTerms: [{ matchExpressions }] };
    const patched = patchedByKubeadm('deploy/kubeadm/patches/node-by-node');
    expect(patched).toEqual(
      withPodSpec(before, {
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
      }),
    );
    expect(await checkSchemas([patched])).toEqual([]);
  });

  test('the patch for a change-over node by node is what docs/install.md has upstream’s DaemonSet patched with', () => {
    const folder = 'deploy/kubeadm/patches/node-by-node';
    const text = readFileSync(`${folder}/kubeproxydaemonset+strategic.yaml`, 'utf8');
    const commands = readFileSync('docs/install.md', 'utf8');
    const byHand = /patch daemonset kube-proxy --patch '([^']+)'/.exec(commands)?.[1] ?? '';
    expect(parse(text)).toEqual(parse(byHand));
    expect(byHand).toContain('NotIn');
  });
});

describe.skipIf(helm === undefined)('helm (skipped without helm)', () => {
  test('the file of the chart is one that the program takes', () => {
    const manifests = chart('config.ipvs.scheduler=wrr', 'extraArgs={--v=2}');
    const [init, main] = checkDaemonSet(manifests);
    if (init === undefined || main === undefined) throw new Error('no two containers');
    const { data = {} } = only(manifests, 'ConfigMap');
    const result = loaded(main, data['config.conf']);
    expect([result.violations, result.notices]).toEqual([[], []]);
    expect(result.settings).toMatchObject({
      mode: 'ipvs',
      clusterCIDR: '10.244.0.0/16',
      'ipvs.scheduler': 'wrr',
      'logging.verbosity': 2,
      'clientConnection.kubeconfig': '/var/lib/kube-proxy/kubeconfig.conf',
    });
    expect(loaded(init, data['config.conf']).settings['--init-only']).toBe(true);
    expect(data['kubeconfig.conf']).toContain('server: https://control-plane.example:6443\n');
  });
  test('strictARP is in the file as the commands of MetalLB and kube-vip look for it, and is a value', () => {
    const fileOf = (...set: readonly string[]) =>
      only(chart(...set), 'ConfigMap').data?.['config.conf'] ?? '';
    const file = fileOf();
    expect(file).toMatch(/^ {2}strictARP: false$/m);
    const isStrict = (text: string) => {
      const [main] = checkDaemonSet(chart('initContainer=false'));
      return main && loaded(main, text).settings['ipvs.strictARP'];
    };
    expect(isStrict(file)).toBe(false);
    expect(isStrict(file.replace('strictARP: false', 'strictARP: true'))).toBe(true);
    expect(isStrict(fileOf('config.ipvs.strictARP=true'))).toBe(true);
  });
  test('another file makes other pods, as their init container does what it asks for', () => {
    const podsOf = (...set: readonly string[]) =>
      only(chart(...set), 'DaemonSet').spec?.template.metadata;
    expect(podsOf()).toEqual(podsOf());
    expect(podsOf('config.ipvs.strictARP=true')).not.toEqual(podsOf());
  });
  test.each([
    ['of its own', 'kube-proxy-ipvs', []],
    ['that is asked for', 'kube-proxy', ['configMap.name=kube-proxy']],
  ])('the ConfigMap has a name %s, by which the pods mount it', (_, name, set) => {
    const manifests = chart(...set);
    expect(only(manifests, 'ConfigMap').metadata.name).toBe(name);
    const volumes = only(manifests, 'DaemonSet').spec?.template.spec.volumes;
    expect(volumes).toContainEqual({ name: 'config', configMap: { name } });
  });
  test('only the init container has privileges, or the main one where there is no other', () => {
    const privileged = { privileged: true, readOnlyRootFilesystem: true };
    const [init, main] = checkDaemonSet(chart());
    expect(init?.securityContext).toEqual(privileged);
    expect(main?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: 'RuntimeDefault' },
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SYS_RESOURCE'] },
    });
    const [alone, none] = checkDaemonSet(chart('initContainer=false'));
    expect([alone?.securityContext, none]).toEqual([privileged, undefined]);
  });
  test('the rights are those of docs/security.md', () => {
    // What the program asks for is compared with them in rights.test.ts.
    expect(only(chart(), 'ClusterRole').rules).toEqual([
      { apiGroups: [''], resources: ['services', 'nodes'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: ['networking.k8s.io'], resources: ['servicecidrs'], verbs: ['list'] },
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ]);
  });
  test('what watches it is there when it is asked for', () => {
    const kinds = (manifests: readonly Manifest[]) => manifests.map(({ kind }) => kind).toSorted();
    const usual = ['ClusterRole', 'ClusterRoleBinding', 'ConfigMap', 'DaemonSet', 'ServiceAccount'];
    expect(kinds(chart())).toEqual(usual);
    const enabled = ['serviceMonitor', 'prometheusRule', 'dashboard'].map(
      (each) => `${each}.enabled=true`,
    );
    const all = chart(...enabled);
    const more = ['ConfigMap', 'PrometheusRule', 'Service', 'ServiceMonitor'];
    expect(kinds(all)).toEqual([...usual, ...more].toSorted());
    const [config] = all
      .filter(
        ({ metadata }) =>
          metadata.name === 'kube-proxy-ipvs' && metadata.namespace === 'kube-system',
      )
      .filter(({ kind }) => kind === 'ConfigMap');
    expect(config?.data?.['config.conf']).toContain('metricsBindAddress: 0.0.0.0:10249');
  });
  test('what it makes is as the schemas have it, whatever is asked for', async () => {
    expect(await checkSchemas(chart())).toEqual([]);
    expect(await checkSchemas(chart('initContainer=false', 'extraArgs={--v=2}'))).toEqual([]);
    const enabled = ['serviceMonitor', 'prometheusRule', 'dashboard'].map(
      (each) => `${each}.enabled=true`,
    );
    expect(await checkSchemas(chart(...enabled))).toEqual([]);
  });
  test('without an address of the API server nothing is rendered', () => {
    expect(() => chart('apiServer=')).toThrow(/without a kube-proxy/);
  });
});
