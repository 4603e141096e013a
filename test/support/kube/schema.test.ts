import { expect, test } from 'vitest';
import { schemaProblems } from './schema.ts';

const container = { name: 'main', image: 'registry.example/a:1' };
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', labels: { app: 'a' } },
  spec: { containers: [container] },
};

test('an object as the API takes it has no problems', async () => {
  expect(await schemaProblems(pod)).toEqual([]);
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules: [] };
  expect(await schemaProblems(role)).toEqual([]);
});

test.each([
  [
    'a field that is not known',
    { containers: [{ ...container, imagePolicy: 'Never' }] },
    'spec.containers[0].imagePolicy: not known',
  ],
  [
    'a field of another type',
    { containers: [{ ...container, args: '--v=2' }] },
    'spec.containers[0].args: no Array<string>',
  ],
  [
    'an item of another type',
    { containers: [{ ...container, args: [2] }] },
    'spec.containers[0].args[0]: no string',
  ],
  [
    'a scalar in place of an object',
    { containers: ['main'] },
    'spec.containers[0]: no V1Container',
  ],
  [
    'a required field that is missing',
    { containers: [{ image: 'a' }] },
    'spec.containers[0].name: missing',
  ],
  [
    'a value of a map that is of another type',
    { containers: [container], nodeSelector: { a: 1 } },
    'spec.nodeSelector.a: no string',
  ],
])('%s is found, with its path', async (_name, spec, problem) => {
  expect(await schemaProblems({ ...pod, spec })).toEqual([problem]);
});

test('a kind that is not one of Kubernetes has no schema here', async () => {
  const monitor = { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor' };
  expect(await schemaProblems(monitor)).toBeUndefined();
});
