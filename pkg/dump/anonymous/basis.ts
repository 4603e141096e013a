import type { IpAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { NameKind } from '../replace.ts';

/** What texts are replaced with. */
export interface Basis {
  address(address: IpAddress): IpAddress;
  network(network: Prefix): Prefix;
  name(kind: NameKind, name: string): string;
  /** What stands for a word that is known as a name; `undefined` for other words. */
  word(word: string): string | undefined;
}
