import type { Family, IpAddress } from '../../ip/address.ts';
import { type Protocol, protocols } from '../../ip/protocol.ts';
import { objectKey } from '../object-key.ts';
import type { Endpoint, EndpointPort, EndpointSlice, ObjectName } from '../types.ts';
import { SliceEndpoint } from './endpoint.ts';
import { type Fields, quoted } from './fields.ts';
import { serviceLabel, triggerAnnotation } from './names.ts';
import { packUid } from './pod-uid.ts';
import { compact, type Pool } from './pool.ts';
import { serviceAddress } from './service-address.ts';

/**
 * Reads an EndpointSlice from a JSON object; `ignored` if it has no IP addresses or no Service, `unusable` if its address type is
 * unknown.
 */
export function reduceSlice(
  fields: Fields,
  { name, pool }: { name: ObjectName; pool: Pool },
): EndpointSlice | 'ignored' | 'unusable' {
  const metadata = fields.object('metadata');
  const serviceName = metadata?.object('labels')?.string(serviceLabel) ?? '';
  const addressType = fields.string('addressType');
  if (addressType === 'FQDN' || serviceName === '' || name.namespace === '') return 'ignored';
  if (addressType !== 'IPv4' && addressType !== 'IPv6') {
    fields.problem(
      'addressType',
      addressType === '' ? 'is missing' : `${quoted(addressType)} is none of IPv4, IPv6, FQDN`,
    );
    return 'unusable';
  }
  return {
    namespace: name.namespace,
    name: name.name,
    serviceKey: pool.text(objectKey({ namespace: name.namespace, name: serviceName })),
    family: addressType,
    ports: pool.slicePorts(fields.objects('ports').flatMap((port) => endpointPort(port, pool))),
    endpoints: compact(
      fields
        .objects('endpoints')
        .flatMap((entry) => endpoint(entry, { family: addressType, slice: name.name, pool })),
    ),
    triggerTime: triggerTime(metadata),
  };
}

/** A port as a list of one. The list is empty if the port has no name or number. */
function endpointPort(port: Fields, pool: Pool): EndpointPort[] {
  const protocol = portProtocol(port);
  const number = port.integer('port', { min: 1, max: 65535 });
  if (!port.has('port')) port.problem('port', 'is missing');
  if (!port.has('name')) port.problem('name', 'is missing');
  if (number === undefined || protocol === undefined || !port.has('name')) return [];
  return [{ name: pool.text(port.string('name')), protocol, port: number }];
}

/** The protocol of a port; TCP if it is absent. `undefined` with a problem if it is unknown. */
export function portProtocol(port: Fields): Protocol | undefined {
  if (!port.has('protocol')) return 'TCP';
  const text = port.string('protocol');
  for (const protocol of protocols) if (protocol === text) return protocol;
  port.problem('protocol', `${quoted(text)} is none of ${protocols.join(', ')}`);
  return undefined;
}

function endpoint(
  entry: Fields,
  { family, slice, pool }: { family: Family; slice: string; pool: Pool },
): Endpoint[] {
  const address = endpointAddress(entry, family);
  if (address === undefined) return [];
  const conditions = entry.object('conditions');
  const hints = entry.object('hints');
  const traits = pool.traits({
    nodeName: entry.string('nodeName'),
    ready: conditions?.boolean('ready', { absent: true }) ?? true,
    serving: conditions?.boolean('serving', { absent: true }) ?? true,
    terminating: conditions?.boolean('terminating', { absent: false }) ?? false,
    zoneHints: hintNames(hints, { field: 'forZones', pool }),
    nodeHints: hintNames(hints, { field: 'forNodes', pool }),
  });
  const podUid = packUid(entry.object('targetRef')?.string('uid') ?? '');
  return [new SliceEndpoint({ address, podUid, slice }, traits)];
}

function endpointAddress(entry: Fields, family: Family): IpAddress | undefined {
  const text = entry.firstString('addresses');
  if (text === undefined) {
    entry.problem('addresses', 'holds no address');
    return undefined;
  }
  const { address, problem } = serviceAddress(text, family);
  if (problem !== undefined) entry.problem('addresses[0]', problem);
  return address;
}

function hintNames(
  hints: Fields | undefined,
  { field, pool }: { field: string; pool: Pool },
): readonly string[] {
  if (hints?.has(field) !== true) return pool.list([]);
  const names = hints.objects(field).map((hint) => hint.string('name'));
  return pool.list(names.filter((name) => name !== ''));
}

function triggerTime(metadata: Fields | undefined): number {
  return metadata?.object('annotations')?.time(triggerAnnotation) ?? 0;
}
