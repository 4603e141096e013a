import { addressBits, type Family, familyOf, type IpAddress } from '../ip/address.ts';
import { addressFamily, addressVariable, setAddress } from '../netlink/addresses.ts';
import type { Command, TableCommand } from '../netlink/message.ts';
import type { Codec, Encoder, ValueOf } from '../wire/codec.ts';
import { type Place, Template, type Variable } from '../wire/template.ts';
import type { Writer } from '../wire/writer.ts';
import { deleteAddress, type linkAddress, newAddress } from './schema.ts';

type AddressMessage = ValueOf<typeof linkAddress>;

/** An address of the device with this index. */
export interface IndexedAddress {
  readonly index: number;
  readonly address: IpAddress;
}

/** The commands for writes that come by the thousand. */
export interface AddressCommands {
  readonly new: Command<IndexedAddress, unknown>;
  readonly delete: Command<IndexedAddress, unknown>;
}

/** The commands that write by templates, for one connection. */
export function addressCommands(): AddressCommands {
  return {
    new: templated(newAddress, ({ address }) => ({ address, local: address })),
    // Without IFA_ADDRESS the kernel deletes an IPv4 address whatever its prefix length is.
    delete: templated(deleteAddress, ({ address }) =>
      familyOf(address) === 'IPv4' ? { local: address } : { address, local: address },
    ),
  };
}

function templated(
  row: TableCommand<AddressMessage, unknown>,
  attributesOf: (indexed: IndexedAddress) => AddressMessage['attributes'],
): Command<IndexedAddress, unknown> {
  return { ...row, request: new AddressEncoder(row.request, attributesOf) };
}

/** A template for one family, and where the device and the address are in it. */
interface Form {
  readonly template: Template;
  readonly index: Place;
  readonly addresses: readonly Place[];
}

/** Encodes RTM_NEWADDR or RTM_DELADDR, whose messages differ in the device and the address only. */
class AddressEncoder implements Encoder<IndexedAddress> {
  readonly table: Codec<unknown>;
  readonly #table: Codec<AddressMessage>;
  readonly #attributesOf: (indexed: IndexedAddress) => AddressMessage['attributes'];
  readonly #forms = new Map<Family, Form>();

  constructor(
    table: Codec<AddressMessage>,
    attributesOf: (indexed: IndexedAddress) => AddressMessage['attributes'],
  ) {
    this.table = table as Codec<unknown>;
    this.#table = table;
    this.#attributesOf = attributesOf;
  }

  encode(writer: Writer, indexed: IndexedAddress): void {
    const { index, address } = indexed;
    const family = familyOf(address);
    const form = this.#forms.get(family) ?? this.#add(family, indexed);
    form.template.setNumber(form.index, index);
    for (const place of form.addresses) setAddress(form.template, place, address);
    form.template.put(writer);
  }

  /** The same as `ip address add ADDRESS/32 dev DEVICE` sends. */
  #add(family: Family, indexed: IndexedAddress): Form {
    const attributes = this.#attributesOf(indexed);
    const example: AddressMessage = {
      family: addressFamily(indexed.address),
      prefixLength: addressBits(family),
      flags: 0,
      scope: 0, // RT_SCOPE_UNIVERSE
      index: indexed.index,
      attributes,
    };
    const addresses = Object.keys(attributes).map((name) => [
      name,
      addressVariable(['attributes', name], family),
    ]);
    const template = Template.of(this.#table, example, {
      index: { path: ['index'] },
      ...(Object.fromEntries(addresses) as Readonly<Record<string, Variable>>), // made above
    });
    const { index, ...places } = template.places;
    const form = { template, index, addresses: Object.values<Place>(places) };
    this.#forms.set(family, form);
    return form;
  }
}
