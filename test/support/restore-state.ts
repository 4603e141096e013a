import type { Flavour } from '../../pkg/firewall/iptables.ts';
import { families } from '../../pkg/ip/address.ts';
import { printedState } from './kernel-state.ts';
import type { Namespace } from './namespace.ts';

// Puts a state as an example of upstream has it (`readState` prints the same form) into a namespace, with other people's tools.

/**
 * Makes a namespace hold everything of an example but its sysctls, as upstream does when it starts: what is there already stays, its
 * chains are written anew, and jumps, virtual servers and addresses that are missing are added.
 */
export function restoreState(
  namespace: Namespace,
  example: string,
  { flavour = 'nft' }: { flavour?: Flavour } = {},
): void {
  const printed = printedState(namespace, { flavour });
  if (!namespace.run('ip', '-o', 'link').includes(' kube-ipvs0: '))
    namespace.run('ip', 'link', 'add', 'kube-ipvs0', 'type', 'dummy');
  for (const line of linesOf(example, 'addresses'))
    namespace.run('ip', 'addr', 'replace', line.split(' ')[1] ?? '', 'dev', 'kube-ipvs0');
  feed(namespace, ['ipset', '-exist', 'restore'], setCommands(linesOf(example, 'sets')));
  for (const family of families) {
    const program = family === 'IPv4' ? 'iptables' : 'ip6tables';
    const rules = withoutJumpsOf(printed[family], linesOf(example, program));
    feed(namespace, [`${program}-${flavour}-restore`, '--noflush'], rules.join('\n'));
  }
  const held = new Set(printed.ipvs.split('\n'));
  const ipvs = linesOf(example, 'ipvs').filter((line) => !held.has(line));
  if (ipvs.length > 0) feed(namespace, ['ipvsadm', '-R'], ipvs.join('\n'));
}

/** Sets the sysctls of an example. */
export function restoreSysctls(namespace: Namespace, example: string): void {
  const settings = linesOf(example, 'sysctls').map((line) => line.replaceAll('/', '.'));
  namespace.run('sysctl', '-qw', ...settings);
}

/** The lines of a part of an example. */
export function linesOf(example: string, name: string): readonly string[] {
  const part = new RegExp(`^## ${name}\\n((?:(?!## ).*(?:\\n|$))*)`, 'm').exec(example)?.[1] ?? '';
  return part.split('\n').filter((line) => line !== '');
}

/** Runs a command with something on its standard input; throws with its words if it fails. */
export function feed(namespace: Namespace, command: readonly string[], input: string): void {
  const script = 'printf "%s\\n" "$1" | { shift; "$@"; }';
  namespace.run('sh', '-c', script, 'sh', input, ...command);
}

/** `NAME TYPE …` makes a set, and an indented line below is an entry of it. */
function setCommands(lines: readonly string[]): string {
  let set = '';
  return lines
    .map((line) => {
      if (line.startsWith('  ')) return `add ${set} ${line.trim()}`;
      set = line.split(' ')[0] ?? '';
      return `create ${line}`;
    })
    .join('\n');
}

/** Rules as iptables-restore reads them (chains of an example have no counters), without the jumps that `printed` has. */
function withoutJumpsOf(printed: string, lines: readonly string[]): readonly string[] {
  const held = new Set(printed.split('\n').filter((line) => /^-A [A-Z]+ /.test(line)));
  return lines
    .filter((line) => !held.has(line))
    .map((line) => line.replace(/^(:\S+) -$/, '$1 - [0:0]'));
}
