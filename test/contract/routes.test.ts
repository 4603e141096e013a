import type { IpAddress } from '../../pkg/ip/address.ts';
import { FakeRoutes } from '../../pkg/routes/fake.ts';
import { ip } from '../support/addresses.ts';
import { routesContract } from './routes.ts';

routesContract('the fake routes', () => {
  const addresses = new Set<IpAddress>();
  const routes = new FakeRoutes((address) => addresses.has(address));
  return {
    routes,
    addAddress: (text) => void addresses.add(ip(text.split('/')[0] ?? '')),
    readBack: () => routes.dump().split('\n').filter(Boolean),
    dispose: () => {},
  };
});
