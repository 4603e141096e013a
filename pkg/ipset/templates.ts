import { type Family, familyOf, type IpAddress } from '../ip/address.ts';
import { protocolNumber } from '../ip/protocol.ts';
import { addressVariable, setAddress } from '../netlink/addresses.ts';
import { Template, type Variable } from '../wire/template.ts';
import type { Writer } from '../wire/writer.ts';
import { toEntryData } from './convert.ts';
import type { Entry } from './ipset.ts';
import { oneEntry } from './schema.ts';

/** The variable values of an entry. The line is its number within the message. */
type Name = 'line' | 'ip' | 'port' | 'protocol' | 'ip2' | 'prefixLength2';

/** Entries of one type, with one family for each address. */
interface Form {
  readonly type: Entry['type'];
  readonly family: Family | undefined;
  readonly family2: Family | undefined;
  readonly template: Template<Name>;
}

/** Appends entries to a list, each as a copy of a template of its type. */
export class EntryWriter {
  readonly #forms: Form[] = [];
  #last: Form | undefined;

  /** Appends an entry with its line. Throws EncodeError for values that do not fit. */
  put(writer: Writer, entry: Entry, { line }: { line: number }): void {
    const { template } = this.#formOf(entry);
    template.setNumber(template.places.line, line);
    setEntry(template, entry);
    template.put(writer);
  }

  /** The template of an entry: mostly the last one, as entries of a set have one type and family. */
  #formOf(entry: Entry): Form {
    const { type } = entry;
    const family = type === 'bitmap:port' ? undefined : familyOf(entry.ip);
    const family2 = secondFamilyOf(entry);
    const isLike = (known: Form) =>
      known.type === type && known.family === family && known.family2 === family2;
    const last = this.#last;
    if (last !== undefined && isLike(last)) return last;
    let form = this.#forms.find(isLike);
    if (form === undefined) {
      form = { type, family, family2, template: templateOf(entry) };
      this.#forms.push(form);
    }
    this.#last = form;
    return form;
  }
}

/** The family of the second address. The kernel requires the same as the first's, but it must be sent. */
function secondFamilyOf(entry: Entry): Family | undefined {
  if (entry.type === 'hash:ip,port,ip') return familyOf(entry.ip2);
  return entry.type === 'hash:ip,port,net' ? familyOf(entry.net.address) : undefined;
}

function templateOf(entry: Entry): Template<Name> {
  const data = { ...toEntryData(entry), line: 0 };
  const variables: Partial<Record<Name, Variable>> = { line: { path: ['entry', 'line'] } };
  const address = (name: 'ip' | 'ip2', ip: IpAddress | undefined) => {
    if (ip !== undefined) variables[name] = addressVariable(['entry', name], familyOf(ip));
  };
  address('ip', data.ip);
  address('ip2', data.ip2);
  for (const name of ['port', 'protocol', 'prefixLength2'] as const)
    if (data[name] !== undefined) variables[name] = { path: ['entry', name] };
  // The names that an entry's type lacks are never set.
  return Template.of(oneEntry, { entry: data }, variables as Record<Name, Variable>);
}

function setEntry(template: Template<Name>, entry: Entry): void {
  const { places } = template;
  if (entry.type === 'bitmap:port') {
    template.setNumber(places.port, entry.port);
    return;
  }
  setAddress(template, places.ip, entry.ip);
  if (entry.type === 'hash:ip') return;
  template.setNumber(places.port, entry.port);
  template.setNumber(places.protocol, protocolNumber(entry.protocol));
  if (entry.type === 'hash:ip,port') return;
  if (entry.type === 'hash:ip,port,ip') {
    setAddress(template, places.ip2, entry.ip2);
    return;
  }
  setAddress(template, places.ip2, entry.net.address);
  template.setNumber(places.prefixLength2, entry.net.length);
}
