import { expect, test } from 'vitest';
import {
  endpoint,
  nodeContext,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { footprintsByPort } from '../desired/footprints.ts';
import { Ledger } from '../desired/ledger.ts';
import { ServiceSizes } from './service-sizes.ts';

const key = 'shop/web';

/** The sizes of a Service with so many ports, each of which has two endpoints, while it is being entered. */
function entering(count: number): ServiceSizes {
  const ports = Array.from({ length: count }, (_, index) =>
    servicePort({ name: `p${index}`, port: 1000 + index }),
  );
  const slices = [slice([endpoint('10.0.0.1'), endpoint('10.0.0.2')], { ports })];
  const ledger = new Ledger();
  const sizes = new ServiceSizes(ledger);
  sizes.begin(key);
  for (const footprint of footprintsByPort(
    { service: service({ ports }), slices, vanished: [] },
    nodeContext,
  ))
    if (footprint !== undefined) ledger.set(footprint);
  return sizes;
}

test.each([3, 30])(
  'the size of a Service of %d ports is known when it is entered entirely',
  (ports) => {
    const sizes = entering(ports);
    expect(sizes.get(key)).toBeUndefined();
    sizes.finish(key, { ports, size: ports * 2 });
    expect(sizes.get(key)).toBe(ports * 2);
    sizes.begin(key);
    expect(sizes.get(key)).toBeUndefined();
  },
);

test('the size of a Service of many ports is the one that was recorded last', () => {
  const sizes = entering(30);
  sizes.finish(key, { ports: 30, size: 60 });
  sizes.change(key, 61);
  expect(sizes.get(key)).toBe(61);
});
