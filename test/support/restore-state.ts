import type { Namespace } from './namespace.ts';

// Puts a state as an example of upstream has it (`readState` prints the same form) into a namespace, with other people's tools.

/** Makes a namespace hold everything of an example but its sysctls: device, addresses, sets, rules, virtual servers. */
export function restoreState(namespace: Namespace, example: string): void {
  const { part, lines } = partsOf(example);
  namespace.run('ip', 'link', 'add', 'kube-ipvs0', 'type', 'dummy');
  for (const line of lines('addresses'))
    namespace.run('ip', 'addr', 'add', line.split(' ')[1] ?? '', 'dev', 'kube-ipvs0');
  feed(namespace, ['ipset', 'restore'], setCommands(lines('sets')));
  feed(namespace, ['iptables-restore', '--noflush'], rules(part('iptables')));
  feed(namespace, ['ip6tables-restore', '--noflush'], rules(part('ip6tables')));
  feed(namespace, ['ipvsadm', '-R'], part('ipvs'));
}

/** The parts of an example by name, as texts and in lines. */
export function partsOf(example: string) {
  const part = (name: string) =>
    new RegExp(`^## ${name}\\n((?:(?!## ).*(?:\\n|$))*)`, 'm').exec(example)?.[1] ?? '';
  const lines = (name: string) =>
    part(name)
      .split('\n')
      .filter((line) => line !== '');
  return { part, lines };
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

/** Chains of an example have no counters. */
function rules(text: string): string {
  return text.replaceAll(/^(:\S+) -$/gm, '$1 - [0:0]');
}
