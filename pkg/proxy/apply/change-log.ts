import {
  printRealServer,
  printVirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { Fields, Logger } from '../../log/log.ts';
import { succeeded } from '../plan/add-real-servers.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation } from '../plan/operation.ts';

/** How many addresses or endpoints a line names; the others are counted. */
const namedLimit = 5;

export interface ChangeLogOptions {
  readonly log: Logger;
  /** The Service that owns a virtual server, by the key of that, or owned it last: `shop/web`. */
  readonly ownerOf: (virtualServer: string) => string | undefined;
}

/** An operation on a virtual server or a real server. */
type IpvsOperation = Extract<Operation, { readonly virtualServer: VirtualServerId }>;

/** What a plan changed of one Service: addresses with ports, and endpoints. */
class ServiceChange {
  readonly addresses = new Set<string>();
  readonly goneAddresses = new Set<string>();
  readonly changedAddresses = new Set<string>();
  readonly newEndpoints = new Set<string>();
  readonly drainingEndpoints = new Set<string>();
  readonly restoredEndpoints = new Set<string>();

  note(operation: IpvsOperation): void {
    const address = printVirtualServer(operation.virtualServer);
    switch (operation.kind) {
      case 'addVirtualServer':
        this.addresses.add(address);
        return;
      case 'updateVirtualServer':
        this.changedAddresses.add(address);
        return;
      case 'deleteVirtualServer':
        this.goneAddresses.add(address);
        return;
      case 'addRealServer':
        this.newEndpoints.add(printRealServer(operation.realServer));
        return;
      case 'addRealServers':
        for (const { address } of operation.realServers)
          this.newEndpoints.add(printRealServer({ address, port: operation.port }));
        return;
      case 'weighRealServer':
        if (operation.realServer.weight > 0)
          this.restoredEndpoints.add(printRealServer(operation.realServer));
        else this.drainingEndpoints.add(printRealServer(operation.realServer));
        return;
      case 'drainRealServer':
      case 'replaceRealServer':
        this.drainingEndpoints.add(printRealServer(operation.realServer));
        return;
      // Deletions of real servers are the ends of drains, which have lines of their own.
      case 'deleteRealServer':
    }
  }

  /** `undefined` if there is nothing to say. */
  get message(): string | undefined {
    const hasNew = this.addresses.size > 0;
    const hasGone = this.goneAddresses.size > 0;
    if ((hasNew && hasGone) || this.changedAddresses.size > 0)
      return 'addresses of a Service changed';
    if (hasNew) return 'serving new addresses of a Service';
    if (hasGone) return 'no longer serving addresses of a Service';
    const endpoints = [this.newEndpoints, this.drainingEndpoints, this.restoredEndpoints];
    return endpoints.some(({ size }) => size > 0) ? 'endpoints of a Service changed' : undefined;
  }

  get fields(): Fields {
    const { addresses, goneAddresses, changedAddresses } = this;
    const { newEndpoints, drainingEndpoints, restoredEndpoints } = this;
    const all = {
      addresses,
      goneAddresses,
      changedAddresses,
      newEndpoints,
      drainingEndpoints,
      restoredEndpoints,
    };
    return Object.fromEntries(
      Object.entries(all).flatMap(([name, values]) =>
        values.size === 0 ? [] : [[name, named([...values])]],
      ),
    );
  }
}

/**
 * Logs at -v=2 what changes in the kernel, in one line for each Service and plan: which addresses are served, and which endpoints
 * serve them. What the first sync does is one line in all. Repairs have lines of their own.
 */
export class ChangeLog {
  readonly #options: ChangeLogOptions;
  #isFirstSyncDone = false;

  constructor(options: ChangeLogOptions) {
    this.#options = options;
  }

  /** Logs the end of the first sync. Changes have lines from now on. */
  firstSyncDone(fields: { readonly services: number; readonly milliseconds: number }): void {
    this.#isFirstSyncDone = true;
    this.#options.log.info('first sync done', fields);
  }

  /** Logs what a plan changed. `failed` are the operations that the kernel did not carry out. */
  note(operations: readonly Operation[], failed: readonly FailedOperation[]): void {
    const { log, ownerOf } = this.#options;
    const detail = this.#isFirstSyncDone && operations.length > 0 ? log.v(2) : undefined;
    if (detail === undefined) return;
    const services = new Map<string, ServiceChange>();
    for (const operation of succeeded(operations, failed)) {
      if (!isOfVirtualServer(operation)) continue;
      const service = ownerOf(virtualServerKey(operation.virtualServer)) ?? 'none';
      const change = services.get(service) ?? new ServiceChange();
      services.set(service, change);
      change.note(operation);
    }
    for (const [service, { message, fields }] of services)
      if (message !== undefined) detail.info(message, { service, ...fields });
  }
}

function isOfVirtualServer(operation: Operation): operation is IpvsOperation {
  return 'virtualServer' in operation;
}

/** `10.0.0.1:80 10.0.0.2:80 and 3 more`. */
function named(values: readonly string[]): string {
  const text = values.slice(0, namedLimit).join(' ');
  const more = values.length - namedLimit;
  return more > 0 ? `${text} and ${more} more` : text;
}
