import { describe, expect, it } from 'vitest';
import { startApiServer } from './apiserver.ts';
import { decodeProtobuf } from './protobuf.ts';
import { TestClient } from './test-client.ts';

// Sent by kubectl 1.35.2: create service nodeport web --tcp=80:http --tcp=443:8443 --node-port=30080
const webService = Buffer.from(
  '6b3873000a0d0a0276311207536572766963651292010a230a0377656212001a0473686f7022002a003200380042005a0a0a03617070120377656212' +
    '670a200a0738302d6874747012035443501850220a080110001a04687474702880eb010a1f0a083434332d38343433120354435018bb032207080010' +
    'fb411a002880eb01120a0a0361707012037765621a0022084e6f6465506f72743a00420052005a00600068001a020a001a002200',
  'hex',
);
// create namespace shop
const shopNamespace = Buffer.from(
  '6b3873000a0f0a02763112094e616d657370616365121c0a140a0473686f7012001a0022002a0032003800420012001a020a001a002200',
  'hex',
);

describe('decodeProtobuf', () => {
  it('reads the Service that kubectl makes', () => {
    expect(decodeProtobuf(webService)).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
      spec: {
        type: 'NodePort',
        selector: { app: 'web' },
        ports: [
          { name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http', nodePort: 30_080 },
          { name: '443-8443', protocol: 'TCP', port: 443, targetPort: 8443, nodePort: 30_080 },
        ],
        publishNotReadyAddresses: false,
      },
      status: { loadBalancer: {} },
    });
  });

  it('reads the Namespace that kubectl makes', () => {
    const metadata = { name: 'shop' };
    expect(decodeProtobuf(shopNamespace)).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata,
    });
  });

  it.each([
    ['JSON', Buffer.from('{}'), 'no protobuf of Kubernetes'],
    ['half a message', webService.subarray(0, 60), 'ends early'],
    [
      'a kind that is not known',
      Buffer.from('6b3873000a0a0a0276311204536f6d65', 'hex'),
      'Some is not read',
    ],
    ['another wire type', Buffer.from('6b38730009', 'hex'), 'wire type 1'],
  ])('refuses %s', (...[, bytes, message]) => {
    expect(() => decodeProtobuf(bytes)).toThrow(message);
  });

  it('is used for what kubectl sends', async () => {
    await using server = await startApiServer({ tls: false });
    using client = new TestClient(server);
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
    const path = '/api/v1/namespaces';
    expect((await client.call(path, { method: 'POST', body: shopNamespace, headers })).code).toBe(
      201,
    );
  });
});
