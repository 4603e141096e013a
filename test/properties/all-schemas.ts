import * as conntrack from '../../pkg/conntrack/schema.ts';
import * as firewall from '../../pkg/firewall/schema.ts';
import * as ipsetCommands from '../../pkg/ipset/commands.ts';
import * as ipset from '../../pkg/ipset/schema.ts';
import * as ipvsCommands from '../../pkg/ipvs/commands.ts';
import * as ipvs from '../../pkg/ipvs/schema.ts';
import * as links from '../../pkg/links/schema.ts';
import * as neighbours from '../../pkg/neighbours/schema.ts';
import { extendedAck } from '../../pkg/netlink/extended-ack.ts';
import { controlAttributes } from '../../pkg/netlink/generic.ts';
import * as netfilter from '../../pkg/netlink/netfilter.ts';
import * as nftables from '../../pkg/nftables/schema.ts';
import * as reset from '../../pkg/reset/schema.ts';
import * as routes from '../../pkg/routes/schema.ts';
import type { Codec } from '../../pkg/wire/codec.ts';

/** Every schema of the program: a schema file joins by being imported here. */
export const schemas: readonly (readonly [string, Codec<unknown>])[] = [
  ...codecsOf('netlink', { extendedAck, controlAttributes }),
  ...codecsOf('netlink', netfilter),
  ...codecsOf('ipvs', ipvs),
  ...codecsOf('ipvs', ipvsCommands),
  ...codecsOf('ipset', ipset),
  ...codecsOf('ipset', ipsetCommands),
  ...codecsOf('firewall', firewall),
  ...codecsOf('links', links),
  ...codecsOf('conntrack', conntrack),
  ...codecsOf('neighbours', neighbours),
  ...codecsOf('nftables', nftables),
  ...codecsOf('reset', reset),
  ...codecsOf('routes', routes),
];

/** The codecs of a module, those of its commands among them. */
function codecsOf(path: string, module: object): (readonly [string, Codec<unknown>])[] {
  return Object.entries(module).flatMap(([name, member]) => {
    if (typeof member !== 'object' || member === null) return [];
    if ('shape' in member) return [[`${path} ${name}`, member as Codec<unknown>] as const];
    const isCommands = 'request' in member || name === 'commands';
    return isCommands ? codecsOf(`${path} ${name}`, member) : [];
  });
}

/** How long a property is looked at. */
export const budget = {
  numRuns: 100,
  interruptAfterTimeLimit: 1_000,
  markInterruptAsFailure: false,
};
