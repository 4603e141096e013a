import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { type KubeObject, recordsAt, textAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findKubectl, Kubectl } from '../support/kubectl.ts';

const path = findKubectl();
const reason = path === undefined ? ' (there is none: set KUBECTL or put it into .cache/)' : '';
if (path === undefined) process.stderr.write(`skipped: the real kubectl${reason}\n`);

const manifest = `
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  type: NodePort
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: https, port: 443}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- addresses: [10.0.0.1]
- addresses: [10.0.0.2]
  conditions: {ready: false}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
status:
  addresses: [{type: InternalIP, address: 192.168.0.1}]
  conditions: [{type: Ready, status: "True"}]
---
apiVersion: v1
kind: Event
metadata: {name: web.1}
involvedObject: {apiVersion: v1, kind: Service, name: web, namespace: default}
type: Warning
reason: Tested
message: somebody tests
lastTimestamp: "2025-01-01T00:00:00Z"
`;

describe.skipIf(path === undefined)(`the real kubectl${reason}`, () => {
  let server: ApiServer;
  let kubectl: Kubectl;

  beforeEach(async () => {
    server = await startApiServer();
    kubectl = new Kubectl(path ?? '', server.kubeconfig());
  });

  afterEach(async () => {
    kubectl[Symbol.dispose]();
    await server.close();
  });

  /** What a command prints; it must succeed and have nothing to complain about. */
  async function run(line: string, input = ''): Promise<string> {
    const result = await kubectl.run(line.split(' '), input);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return result.stdout;
  }

  /** What a command complains about; it must fail. */
  async function fail(line: string, input = ''): Promise<string> {
    const result = await kubectl.run(line.split(' '), input);
    expect(result.code).toBe(1);
    return result.stderr;
  }

  function web(): KubeObject | undefined {
    return server.get({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } });
  }

  it('creates, and refuses to create twice', async () => {
    expect(await run('create -f -', manifest)).toBe(
      'service/web created\nendpointslice.discovery.k8s.io/web-1 created\nnode/node-1 created\nevent/web.1 created\n',
    );
    expect(await fail('create -f -', manifest)).toContain('services "web" already exists');
    expect(textAt(web(), 'spec.clusterIP')).toBe('172.30.0.2');
  });

  it('applies, and applies a change to what it applied', async () => {
    await run('apply -f -', manifest);
    expect(await run('apply -f -', manifest)).toContain('service/web unchanged\n');
    expect(await run('apply -f -', manifest.replaceAll('8080', '8081'))).toContain(
      'service/web configured\n',
    );
    expect(recordsAt(web(), 'spec.ports')).toMatchObject([
      { targetPort: 8081, nodePort: 30_000 },
      { port: 443 },
    ]);
    const fewer = manifest.replace('  - {name: https, port: 443}\n', '');
    await run('apply -f -', fewer);
    expect(recordsAt(web(), 'spec.ports').map((port) => port['port'])).toEqual([80]);
  });

  it('applies on the server', async () => {
    expect(await run('apply --server-side -f -', manifest)).toContain(
      'service/web serverside-applied\n',
    );
  });

  it('reads lists of objects, as it writes them itself', async () => {
    await run('apply -f -', manifest);
    const list = await run('get services,endpointslices -o yaml');
    await run('delete service web');
    await run('delete endpointslice web-1');
    await run(
      'create -f -',
      list.replaceAll(/^ +(resourceVersion|uid|creationTimestamp): .*\n/gm, ''),
    );
    expect(web()).toBeDefined();
  });

  it('replaces, and is told that somebody was faster', async () => {
    await run('create -f -', manifest);
    const seen = await run('get service web -o json');
    await run('replace -f -', manifest.replace('port: 443', 'port: 444'));
    expect(recordsAt(web(), 'spec.ports')[1]?.['port']).toBe(444);
    expect(await fail('replace -f -', seen)).toContain('the object has been modified');
  });

  it('shows tables', async () => {
    await run('create -f -', manifest);
    const table = async (line: string) =>
      (await run(line))
        .replaceAll(/ +\n/g, '\n')
        .replaceAll(/ {2,}/g, '  ')
        .replaceAll(/\d+s/g, '1s');
    expect(await table('get service')).toBe(
      'NAME  TYPE  CLUSTER-IP  EXTERNAL-IP  PORT(S)  AGE\nweb  NodePort  172.30.0.2  <none>  80:30000/TCP,443:30001/TCP  1s\n',
    );
    expect(await table('get endpointslices')).toBe(
      'NAME  ADDRESSTYPE  PORTS  ENDPOINTS  AGE\nweb-1  IPv4  8080  10.0.0.1,10.0.0.2  1s\n',
    );
    expect(await table('get nodes')).toBe(
      'NAME  STATUS  ROLES  AGE  VERSION\nnode-1  Ready  <none>  1s\n',
    );
    expect(await table('get ns -o name')).toBe('namespace/default\nnamespace/kube-system\n');
    expect(await table('get events')).toMatch(/Warning +Tested +service\/web +somebody tests\n$/);
    expect(await table('get service -A -l app=web -o wide')).toMatch(
      /^NAMESPACE .* SELECTOR\ndefault .* app=web\n$/,
    );
  });

  it('describes', async () => {
    await run('create -f -', manifest);
    const described = await run('describe service web');
    expect(described).toMatch(/^IP: +172\.30\.0\.2$/m);
    expect(described).toMatch(/^Endpoints: +10\.0\.0\.1:8080$/m);
    expect(await run('describe node node-1')).toMatch(/InternalIP: +192\.168\.0\.1/);
    expect(await run('describe endpointslice web-1')).toMatch(/Addresses: +10\.0\.0\.2/);
  });

  it('labels, annotates and patches', async () => {
    await run('create -f -', manifest);
    await run('label service web tier=front');
    await run('annotate service web note=here');
    await run('patch service web -p {"spec":{"ports":[{"port":80,"nodePort":31000}]}}');
    await run('patch service web --type=merge -p {"spec":{"externalIPs":["203.0.113.1"]}}');
    await run(
      'patch service web --subresource=status -p {"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.2"}]}}}',
    );
    expect(web()).toMatchObject({
      metadata: { labels: { app: 'web', tier: 'front' }, annotations: { note: 'here' } },
      spec: { externalIPs: ['203.0.113.1'], ports: [{ nodePort: 31_000 }, { nodePort: 30_001 }] },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.2' }] } },
    });
  });

  it('creates Services and Namespaces from its command line', async () => {
    await run('create namespace shop');
    expect(await run('create service nodeport cart -n shop --tcp=80:8080')).toBe(
      'service/cart created\n',
    );
    await run('create service clusterip db --clusterip=None');
    await run('create service externalname mail --external-name=example.com --tcp=25');
    expect(await run('get service -A -o name')).toBe('service/db\nservice/mail\nservice/cart\n');
    expect(await run('delete namespace shop')).toContain('namespace "shop" deleted');
    expect(server.objects('Service')).toHaveLength(2);
  });

  it('deletes, and sees that it is gone', async () => {
    await run('create -f -', manifest);
    expect(await run('delete -f -', manifest)).toContain('service "web" deleted');
    expect(await fail('get service web')).toBe(
      'Error from server (NotFound): services "web" not found\n',
    );
    expect(await fail('delete service web')).toContain('not found');
  });

  it('prints what is wrong with an object', async () => {
    const bad =
      'apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 70000, targetPort: 1}]}\n';
    expect(await fail('create -f -', bad)).toContain(
      'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535',
    );
  });

  it('watches', async () => {
    const watch = kubectl.start(
      'get services --watch --output-watch-events --no-headers'.split(' '),
    );
    await server.requests.until((log) => log.openWatches({ resource: 'services' }).length === 1);
    let seen = '';
    const complete = new Promise<void>((resolve) => {
      watch.stdout.on('data', (piece: Buffer) => {
        seen += piece.toString();
        if (seen.includes('DELETED')) resolve();
      });
    });
    await run('apply -f -', manifest);
    await run('label service web tier=front');
    await run('delete service web');
    await complete;
    watch.kill();
    expect(
      seen
        .trim()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 2).join(' ')),
    ).toEqual(['ADDED web', 'MODIFIED web', 'DELETED web']);
  });

  it('is refused with a token that nobody knows', async () => {
    using stranger = new Kubectl(path ?? '', server.kubeconfig({ token: 'wrong' }));
    expect((await stranger.run(['get', 'services'])).stderr).toContain(
      'You must be logged in to the server',
    );
    using known = new Kubectl(path ?? '', server.kubeconfig({ certificateFor: 'admin' }));
    expect((await known.run(['get', 'nodes'])).code).toBe(0);
  });
});
