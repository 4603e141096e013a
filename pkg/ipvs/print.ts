import { type IpvsWrite, printRealServer, printVirtualServer } from './ipvs.ts';

/** What a write tries, for errors: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP`. */
export function printWrite(write: IpvsWrite): string {
  const server = printVirtualServer(write.server);
  switch (write.kind) {
    case 'addVirtualServer':
      return `add virtual server ${server}`;
    case 'updateVirtualServer':
      return `change virtual server ${server}`;
    case 'deleteVirtualServer':
      return `delete virtual server ${server}`;
    case 'addRealServer':
      return `add real server ${printRealServer(write.backend)} to ${server}`;
    case 'updateRealServer':
      return `change real server ${printRealServer(write.backend)} of ${server}`;
    case 'deleteRealServer':
      return `delete real server ${printRealServer(write.backend)} of ${server}`;
  }
}
