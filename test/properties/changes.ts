import fc from 'fast-check';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, setService, setSlice } from '../support/proxier.ts';

// A small world, so that changes meet: four Services on three addresses, six addresses of pods, which three pods have in turn.

/** The Services that there may be. */
export const names = ['a', 'b', 'c', 'd'] as const;
const name = fc.constantFrom(...names);
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP');

const aService = fc
  .record({
    name,
    address: fc.integer({ min: 1, max: 3 }),
    isDual: fc.boolean(),
    protocol,
    port: fc.constantFrom(80, 81),
    nodePort: fc.constantFrom(0, 0, 30_080, 30_081),
    isLocal: fc.boolean(),
    affinitySeconds: fc.constantFrom(0, 0, 600),
  })
  .map(({ address, isDual, protocol: proto, port, nodePort, isLocal, ...rest }): Change => {
    const clusterIPs = [
      ip(`172.30.0.${address}`),
      ...(isDual ? [ip(`fd00:172:30::${address}`)] : []),
    ];
    return setService(
      service({
        ...rest,
        clusterIPs,
        created: rest.name.charCodeAt(0),
        type: nodePort === 0 ? 'ClusterIP' : 'NodePort',
        externalTrafficPolicy: isLocal ? 'Local' : 'Cluster',
        ports: [servicePort({ protocol: proto, port, nodePort })],
      }),
    );
  });

const anEndpoint = fc
  .record({
    pod: fc.integer({ min: 1, max: 6 }),
    isHere: fc.boolean(),
    state: fc.constantFrom('ready', 'ready', 'unready', 'terminating'),
    podUid: fc.constantFrom('', 'x', 'x', 'y', 'y', 'z').map(packUid),
  })
  .map(({ pod, isHere, state, podUid }) =>
    endpoint(`10.0.0.${pod}`, {
      podUid,
      nodeName: isHere ? 'here' : 'there',
      ready: state === 'ready',
      serving: state !== 'unready',
      terminating: state === 'terminating',
    }),
  );

const aSlice = fc
  .record({
    serviceName: name,
    number: fc.constantFrom(1, 2),
    protocol,
    endpoints: fc.uniqueArray(anEndpoint, { maxLength: 4, selector: ({ address }) => address }),
  })
  .map(
    ({ serviceName, number, protocol: proto, endpoints }): Change =>
      setSlice(
        slice(endpoints, {
          serviceName,
          name: `${serviceName}-${number}`,
          ports: [{ name: '', protocol: proto, port: 8080 }],
        }),
      ),
  );

const aDeletion = fc.oneof(
  name.map((some) => remove('Service', some)),
  fc
    .tuple(name, fc.constantFrom(1, 2))
    .map(([some, number]) => remove('EndpointSlice', `${some}-${number}`)),
);

/** A Service with a slice of endpoints that match it. */
export const aWholeService: fc.Arbitrary<readonly Change[]> = fc
  .tuple(aService, aSlice)
  .map(([itsService, itsSlice]) => {
    if (itsService.type !== 'set' || itsService.kind !== 'Service') return [itsService];
    if (itsSlice.type !== 'set' || itsSlice.kind !== 'EndpointSlice') return [itsService];
    const { name, key, ports } = itsService.object;
    return [
      itsService,
      setSlice({
        ...itsSlice.object,
        serviceKey: key,
        name: `${name}-1`,
        ports: ports.map(({ protocol: proto }) => ({ name: '', protocol: proto, port: 8080 })),
      }),
    ];
  });

/** A change of a Service or a slice of it. */
export const aChange: fc.Arbitrary<Change> = fc.oneof(
  aService,
  aService,
  aSlice,
  aSlice,
  aDeletion,
);
