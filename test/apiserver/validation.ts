import { type Family, familyOf, parseAddress } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import {
  isRecord,
  isSame,
  type Json,
  type KubeObject,
  listAt,
  recordAt,
  recordsAt,
  textAt,
  valueAt,
} from './objects.ts';
import type { Cause } from './status.ts';

const annotationLimit = 256 * 1024; // bytes
const endpointLimit = 1000;

/** What a real server would find wrong with an object, as far as it matters here, each with its field's path. */
export function validate(object: KubeObject, previous?: KubeObject): Cause[] {
  const problems = new Problems();
  validateMetadata(problems, object);
  if (object.kind === 'Service') validateService(problems, object, previous);
  if (object.kind === 'EndpointSlice') validateSlice(problems, object, previous);
  if (object.kind === 'Node') validateNode(problems, object);
  return problems.causes;
}

/** Gathers causes, in the words of a real server. */
class Problems {
  readonly causes: Cause[] = [];

  invalid(field: string, value: unknown, why: string): void {
    this.#add(
      'FieldValueInvalid',
      field,
      `Invalid value: ${JSON.stringify(value) ?? '""'}: ${why}`,
    );
  }

  required(field: string, why = ''): void {
    this.#add(
      'FieldValueRequired',
      field,
      why === '' ? 'Required value' : `Required value: ${why}`,
    );
  }

  duplicate(field: string, value: unknown): void {
    this.#add('FieldValueDuplicate', field, `Duplicate value: ${JSON.stringify(value)}`);
  }

  /** The value must be one of some. */
  supported(field: string, value: unknown, values: readonly string[]): void {
    if (typeof value === 'string' && values.includes(value)) return;
    const list = values.map((known) => `"${known}"`).join(', ');
    this.#add(
      'FieldValueNotSupported',
      field,
      `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    );
  }

  port(field: string, value: unknown): void {
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535) return;
    this.invalid(field, value, 'must be between 1 and 65535, inclusive');
  }

  address(field: string, value: unknown, family?: Family): void {
    const address = typeof value === 'string' ? parseAddress(value) : undefined;
    if (address === undefined)
      this.invalid(field, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
    else if (family !== undefined && familyOf(address) !== family) {
      this.invalid(field, value, `must be an ${family} address`);
    }
  }

  cidr(field: string, value: unknown): void {
    if (typeof value === 'string' && parsePrefix(value) !== undefined) return;
    this.invalid(field, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
  }

  #add(reason: string, field: string, message: string): void {
    this.causes.push({ reason, message, field });
  }
}

function validateMetadata(problems: Problems, object: KubeObject): void {
  const name = textAt(object, 'metadata.name');
  const isLabel = object.kind === 'Service';
  const pattern = isLabel
    ? /^[a-z]([-a-z0-9]*[a-z0-9])?$/
    : /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
  if (name === '') problems.required('metadata.name', 'name or generateName is required');
  else if (!pattern.test(name) || name.length > (isLabel ? 63 : 253)) {
    problems.invalid(
      'metadata.name',
      name,
      `must be a lowercase RFC ${isLabel ? '1035 label' : '1123 subdomain'}`,
    );
  }
  const annotations = recordAt(object, 'metadata.annotations');
  if (Buffer.byteLength(Object.entries(annotations).flat().join('')) > annotationLimit) {
    const message = `Too long: may not be more than ${annotationLimit} bytes`;
    problems.causes.push({ reason: 'FieldValueTooLong', message, field: 'metadata.annotations' });
  }
}

function validateService(
  problems: Problems,
  service: KubeObject,
  previous: KubeObject | undefined,
): void {
  const spec = service['spec'];
  if (!isRecord(spec)) return problems.invalid('spec', spec, 'must be an object');
  problems.supported('spec.type', spec['type'], [
    'ClusterIP',
    'ExternalName',
    'LoadBalancer',
    'NodePort',
  ]);
  problems.supported('spec.sessionAffinity', spec['sessionAffinity'], ['ClientIP', 'None']);
  for (const policy of ['internalTrafficPolicy', 'externalTrafficPolicy']) {
    if (spec[policy] !== undefined)
      problems.supported(`spec.${policy}`, spec[policy], ['Cluster', 'Local']);
  }
  const isExternal = spec['type'] === 'ExternalName';
  if (isExternal && textAt(spec, 'externalName') === '') problems.required('spec.externalName');
  if (!isExternal) validateClusterIPs(problems, spec, recordAt(previous, 'spec'));
  const ports = recordsAt(spec, 'ports');
  if (ports.length === 0 && !isExternal && spec['clusterIP'] !== 'None')
    problems.required('spec.ports');
  for (const [index, port] of ports.entries()) validateServicePort(problems, port, { spec, index });
  const nameOf = (port: Json) => textAt(port, 'name') || undefined;
  validateUnique(ports, nameOf, (index, { name }) =>
    problems.duplicate(`spec.ports[${index}].name`, name),
  );
  const numberOf = (port: Json) => `${textAt(port, 'port')}/${textAt(port, 'protocol')}`;
  validateUnique(ports, numberOf, (index, { port, protocol }) =>
    problems.duplicate(`spec.ports[${index}]`, { port, protocol }),
  );
  listAt(spec, 'externalIPs').forEach((ip, index) =>
    problems.address(`spec.externalIPs[${index}]`, ip),
  );
  listAt(spec, 'loadBalancerSourceRanges').forEach((range, index) => {
    problems.cidr(`spec.loadBalancerSourceRanges[${index}]`, range);
  });
  const timeout = valueAt(spec, 'sessionAffinityConfig.clientIP.timeoutSeconds');
  if (
    spec['sessionAffinity'] === 'ClientIP' &&
    !(Number(timeout) > 0 && Number(timeout) <= 86_400)
  ) {
    const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    problems.invalid(field, timeout, 'must be greater than 0 and less than or equal to 86400');
  }
}

function validateClusterIPs(problems: Problems, spec: Json, had: Json): void {
  const ips = listAt(spec, 'clusterIPs');
  ips.forEach((ip, index) => {
    if (ip !== 'None') problems.address(`spec.clusterIPs[${index}]`, ip);
  });
  if (ips.length === 0) problems.required('spec.clusterIPs');
  if (ips.length > 0 && spec['clusterIP'] !== ips[0]) {
    problems.invalid('spec.clusterIPs', ips, 'first value must match `clusterIP`');
  }
  const before = listAt(had, 'clusterIPs');
  if (before.length > 0 && had['type'] !== 'ExternalName' && !isSame(ips[0], before[0])) {
    problems.invalid('spec.clusterIPs[0]', ips[0], 'may not change once set');
  }
}

function validateServicePort(
  problems: Problems,
  port: Json,
  { spec, index }: { spec: Json; index: number },
): void {
  const field = `spec.ports[${index}]`;
  if (textAt(port, 'name') === '' && listAt(spec, 'ports').length > 1)
    problems.required(`${field}.name`);
  problems.port(`${field}.port`, port['port']);
  problems.supported(`${field}.protocol`, port['protocol'], protocols);
  const target = port['targetPort'];
  if (typeof target !== 'string') problems.port(`${field}.targetPort`, target);
  const nodePort = port['nodePort'];
  if (nodePort === undefined || nodePort === 0) return;
  problems.port(`${field}.nodePort`, nodePort);
  if (spec['type'] === 'ClusterIP')
    problems.invalid(`${field}.nodePort`, nodePort, "may not be used when `type` is 'ClusterIP'");
}

function validateSlice(
  problems: Problems,
  slice: KubeObject,
  previous: KubeObject | undefined,
): void {
  const type = slice['addressType'];
  problems.supported('addressType', type, ['FQDN', 'IPv4', 'IPv6']);
  if (previous !== undefined && previous['addressType'] !== type)
    problems.invalid('addressType', type, 'field is immutable');
  const endpoints = listAt(slice, 'endpoints');
  if (endpoints.length > endpointLimit) {
    const message = `Too many: ${endpoints.length}: must have at most ${endpointLimit} items`;
    problems.causes.push({ reason: 'FieldValueTooMany', message, field: 'endpoints' });
  }
  const family = type === 'IPv4' || type === 'IPv6' ? type : undefined;
  for (const [index, endpoint] of endpoints.entries()) {
    const field = `endpoints[${index}].addresses`;
    const addresses = listAt(endpoint, 'addresses');
    if (addresses.length === 0) problems.required(field, 'must contain at least 1 address');
    if (family === undefined) continue;
    addresses.forEach((address, at) => problems.address(`${field}[${at}]`, address, family));
  }
  const ports = recordsAt(slice, 'ports');
  for (const [index, port] of ports.entries()) {
    problems.supported(`ports[${index}].protocol`, port['protocol'], protocols);
    if (port['port'] !== undefined && port['port'] !== null)
      problems.port(`ports[${index}].port`, port['port']);
  }
  const nameOf = (port: Json) => textAt(port, 'name');
  validateUnique(ports, nameOf, (index, { name }) =>
    problems.duplicate(`ports[${index}].name`, name),
  );
}

function validateNode(problems: Problems, node: KubeObject): void {
  listAt(node, 'spec.podCIDRs').forEach((cidr, index) =>
    problems.cidr(`spec.podCIDRs[${index}]`, cidr),
  );
  recordsAt(node, 'status.addresses').forEach((address, index) => {
    const type = textAt(address, 'type');
    if (type === 'InternalIP' || type === 'ExternalIP')
      problems.address(`status.addresses[${index}].address`, address['address']);
  });
}

/** Reports each port whose key another one had before; `undefined` is no key. */
function validateUnique(
  ports: Json[],
  key: (port: Json) => string | undefined,
  report: (index: number, port: Json) => void,
): void {
  const seen = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const text = key(port);
    if (text === undefined) continue;
    if (seen.has(text)) report(index, port);
    seen.add(text);
  }
}
