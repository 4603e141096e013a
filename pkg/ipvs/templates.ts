import { addressBytes, addressWord, familyOf } from '../ip/address.ts';
import { protocolNumber } from '../ip/protocol.ts';
import { AF_INET, AF_INET6, addressFamily, setAddress } from '../netlink/addresses.ts';
import type { GenericCommand, GenericTableCommand } from '../netlink/generic.ts';
import type { Codec, Encoder } from '../wire/codec.ts';
import { Template } from '../wire/template.ts';
import type { Writer } from '../wire/writer.ts';
import {
  destIdOf,
  destOf,
  forwardingNumber,
  serviceIdOf,
  serviceOf,
  wireNetmask,
} from './convert.ts';
import type { RealServer, RealServerId, VirtualServer, VirtualServerId } from './ipvs.ts';
import type { Dest, DestId, Service, ServiceId } from './schema.ts';

/** A real server with its settings or its key alone, and its virtual server. */
export interface DestWrite<R extends RealServerId> {
  readonly virtualServer: VirtualServerId;
  readonly realServer: R;
}

const serviceIdPaths = {
  protocol: { path: ['service', 'protocol'] },
  serviceAddress: { path: ['service', 'address'] },
  servicePort: { path: ['service', 'port'] },
} as const;
const destIdPaths = {
  ...serviceIdPaths,
  address: { path: ['dest', 'address'] },
  port: { path: ['dest', 'port'] },
} as const;
const destPaths = {
  ...destIdPaths,
  forwarding: { path: ['dest', 'forwarding'] },
  weight: { path: ['dest', 'weight'] },
  upperThreshold: { path: ['dest', 'upperThreshold'] },
  lowerThreshold: { path: ['dest', 'lowerThreshold'] },
} as const;
const servicePaths = {
  ...serviceIdPaths,
  flags: { path: ['service', 'flags', 'value'] },
  timeout: { path: ['service', 'timeout'] },
  netmask: { path: ['service', 'netmask'] },
} as const;

/** How many forms of a message have templates; others are encoded by the table. Scheduler names are not under our control. */
const mostForms = 32;

/** A command that encodes its requests by templates. */
export function templated<Table, Reply, Write>(
  row: GenericTableCommand<Table, Reply>,
  make: (table: Codec<Table>) => Encoder<Write>,
): GenericCommand<Write, Reply> {
  return { ...row, request: make(row.request) };
}

/** A template in which the virtual server, and the real server's address and port, are variable. */
interface DestForm<R> {
  readonly template: Template<keyof typeof destIdPaths>;
  /** The family of the real server. */
  readonly isIPv4: boolean;
  /** The virtual server whose key is in the template. */
  virtualServer: VirtualServerId | undefined;
  /** The port of a real server that is in the template. */
  port: number | undefined;
  /** The real server whose settings are in the template. */
  realServer: R | undefined;
}

/** The templates of a message about a real server, one for each pair of families. */
class DestForms<R extends RealServerId> {
  readonly #forms: (DestForm<R> | undefined)[] = [];
  readonly #make: (write: DestWrite<R>) => Template<keyof typeof destIdPaths>;
  /** The form of the last write: most are for the virtual server of the one before. */
  #last: DestForm<R> | undefined;

  constructor(make: (write: DestWrite<R>) => Template<keyof typeof destIdPaths>) {
    this.#make = make;
  }

  /** The template for a write, with its keys set. */
  filled(write: DestWrite<R>): DestForm<R> {
    const { virtualServer, realServer } = write;
    const { address, port } = realServer;
    const word = addressWord(address);
    const last = this.#last;
    const isLast = last?.virtualServer === virtualServer && last.isIPv4 === word >= 0;
    const form = isLast ? last : this.#formFor(write, word >= 0);
    const { template } = form;
    if (form.virtualServer !== virtualServer) {
      form.virtualServer = undefined; // until all of it is set, as it may not fit
      setServiceId(template, virtualServer);
      form.virtualServer = virtualServer;
    }
    if (word >= 0) template.setWord(template.places.address, word);
    else template.setBytes(template.places.address, addressBytes(address));
    if (form.port !== port) {
      form.port = undefined; // until it is set, as it may not fit
      template.setNumber(template.places.port, port);
      form.port = port;
    }
    return form;
  }

  #formFor(write: DestWrite<R>, isIPv4: boolean): DestForm<R> {
    const { address } = write.virtualServer;
    const families = addressFamily(address) * 16 + (isIPv4 ? AF_INET : AF_INET6);
    const form = this.#forms[families] ?? this.#add(families, { write, isIPv4 });
    this.#last = form;
    return form;
  }

  #add(families: number, { write, isIPv4 }: { write: DestWrite<R>; isIPv4: boolean }): DestForm<R> {
    const template = this.#make(write);
    const form = {
      template,
      isIPv4,
      virtualServer: undefined,
      port: undefined,
      realServer: undefined,
    };
    this.#forms[families] = form;
    return form;
  }
}

/** Encodes DEL_DEST: the keys of real servers. */
export class DestIdEncoder implements Encoder<DestWrite<RealServerId>> {
  readonly table: Codec<unknown>;
  readonly #forms: DestForms<RealServerId>;

  constructor(table: Codec<{ service: ServiceId; dest: DestId }>) {
    this.table = table as Codec<unknown>;
    this.#forms = new DestForms(({ virtualServer, realServer }) => {
      const example = { service: serviceIdOf(virtualServer), dest: destIdOf(realServer) };
      return Template.of(table, example, destIdPaths);
    });
  }

  encode(writer: Writer, write: DestWrite<RealServerId>): void {
    this.#forms.filled(write).template.put(writer);
  }
}

/** Encodes NEW_DEST and SET_DEST: real servers with their settings. */
export class DestEncoder implements Encoder<DestWrite<RealServer>> {
  readonly table: Codec<unknown>;
  readonly #forms: DestForms<RealServer>;

  constructor(table: Codec<{ service: ServiceId; dest: Dest }>) {
    this.table = table as Codec<unknown>;
    this.#forms = new DestForms(({ virtualServer, realServer }) => {
      const example = { service: serviceIdOf(virtualServer), dest: destOf(realServer) };
      return Template.of(table, example, destPaths);
    });
  }

  encode(writer: Writer, write: DestWrite<RealServer>): void {
    const form = this.#forms.filled(write);
    const { realServer } = write;
    const last = form.realServer;
    // Consecutive real servers mostly have the same settings.
    if (
      last === undefined ||
      last.weight !== realServer.weight ||
      last.forwarding !== realServer.forwarding ||
      last.upperThreshold !== realServer.upperThreshold ||
      last.lowerThreshold !== realServer.lowerThreshold
    ) {
      form.realServer = undefined; // until all are set, as one may not fit
      setSettings(form.template as Template<keyof typeof destPaths>, realServer); // as it was made above
      form.realServer = realServer;
    }
    form.template.put(writer);
  }
}

/** A message of which all values of a virtual server vary that do not change its length. */
interface ServiceForm {
  readonly template: Template<keyof typeof servicePaths>;
  /** One that has this form. */
  readonly example: VirtualServer;
}

/** Writes NEW_SERVICE and SET_SERVICE. */
export class ServiceEncoder implements Encoder<VirtualServer> {
  readonly table: Codec<unknown>;
  readonly #table: Codec<{ service: Service }>;
  readonly #forms: ServiceForm[] = [];

  constructor(table: Codec<{ service: Service }>) {
    this.table = table as Codec<unknown>;
    this.#table = table;
  }

  encode(writer: Writer, virtualServer: VirtualServer): void {
    const template = this.#templateFor(virtualServer);
    if (template === undefined) {
      this.#table.encode(writer, { service: serviceOf(virtualServer) });
      return;
    }
    setServiceId(template, virtualServer);
    template.setNumber(template.places.flags, virtualServer.flags);
    template.setNumber(template.places.timeout, virtualServer.timeout);
    template.setBytes(template.places.netmask, wireNetmask(virtualServer));
    template.put(writer);
  }

  #templateFor(virtualServer: VirtualServer): Template<keyof typeof servicePaths> | undefined {
    for (const { template, example } of this.#forms)
      if (haveOneForm(example, virtualServer)) return template;
    if (this.#forms.length >= mostForms) return undefined;
    const message = { service: serviceOf(virtualServer) };
    const template = Template.of(this.#table, message, servicePaths);
    this.#forms.push({ template, example: virtualServer });
    return template;
  }
}

/** Whether the messages of two virtual servers differ in nothing but what varies in a template. */
function haveOneForm(one: VirtualServer, other: VirtualServer): boolean {
  return (
    one.scheduler === other.scheduler &&
    one.persistenceEngine === other.persistenceEngine &&
    familyOf(one.address) === familyOf(other.address)
  );
}

function setServiceId(
  template: Template<keyof typeof serviceIdPaths>,
  { address, protocol, port }: VirtualServerId,
): void {
  const { places } = template;
  template.setNumber(places.protocol, protocolNumber(protocol));
  setAddress(template, places.serviceAddress, address);
  template.setNumber(places.servicePort, port);
}

function setSettings(
  template: Template<keyof typeof destPaths>,
  { forwarding, weight, upperThreshold, lowerThreshold }: RealServer,
): void {
  const { places } = template;
  template.setNumber(places.forwarding, forwardingNumber(forwarding));
  template.setNumber(places.weight, weight);
  template.setNumber(places.upperThreshold, upperThreshold);
  template.setNumber(places.lowerThreshold, lowerThreshold);
}
