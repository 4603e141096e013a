import { type AnyField, fields } from './fields.ts';

/** The text that `--help` prints. Subcommands are given by name. */
export function helpText(
  subcommands: ReadonlyMap<string, { readonly help: string }> = new Map(),
): string {
  const groups = Map.groupBy(
    fields.filter(({ flag }) => flag !== undefined),
    ({ group }) => group,
  );
  const sections = [...groups].map(([group, rows]) => `${group}:\n\n${rows.map(helpRow).join('')}`);
  return `${[
    'Makes the Services of a Kubernetes cluster work on this node, through IPVS.',
    ['Usage:', '  kube-proxy [flags]', ...[...subcommands].map(subcommandRow)].join('\n'),
    ...sections.map((section) => section.trimEnd()),
  ].join('\n\n')}\n`;
}

/** The default of an option as on the command line; '' if it is empty, zero or false. */
export function printDefault({ type, default: value }: AnyField): string {
  return value === 0 || value === false || value === '0' ? '' : type.print(value);
}

/** A sentence about what an option does not do; '' if it has full support. */
export function printSupport({ support }: AnyField): string {
  switch (support.kind) {
    case 'full':
      return '';
    case 'none':
      return `No effect here: ${support.reason}.`;
  }
}

function subcommandRow([name, { help }]: [string, { readonly help: string }]): string {
  return `  kube-proxy ${name} --help\n        ${help}`;
}

function helpRow(row: AnyField): string {
  const { flag = '', shorthand, type, help, deprecated } = row;
  const short = shorthand === undefined ? '' : `-${shorthand}`;
  const long = flag === shorthand ? '' : `--${flag}`;
  const names = [short, long].filter((name) => name !== '').join(', ');
  const kind = type.alone === undefined ? ` ${type.name}` : '';
  const preset = printDefault(row);
  const sentences = [
    help,
    printSupport(row),
    deprecated === undefined ? '' : `Deprecated: use ${deprecated}.`,
    preset === '' ? '' : `(default${unbreakable}${preset})`,
  ];
  const text = wrapped(sentences.filter((sentence) => sentence !== '').join(' '));
  return `  ${names}${kind}\n${text}`;
}

/** A space at which no line is broken. */
const unbreakable = '\u00a0';

/** Lines of at most 92 columns, indented by 8. */
function wrapped(text: string): string {
  const lines = text.match(/.{1,84}(?= |$)|\S+/g) ?? [];
  return lines.map((line) => `        ${line.trim()}\n`.replaceAll(unbreakable, ' ')).join('');
}
