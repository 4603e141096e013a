import { removedFlags } from '../../pkg/config/fields/leftovers.ts';
import { type AnyField, fields, isFileField } from '../../pkg/config/fields.ts';
import { printDefault, printSupport } from '../../pkg/config/help.ts';

const introduction = `# Configuration

This page is made from the program's own table of options: \`hack/run node hack/configuration.ts\` writes it anew.

A file is a \`KubeProxyConfiguration\` of \`kubeproxy.config.k8s.io/v1alpha1\`, in YAML or JSON, and is named by \`--config\`. Beside it, only flags
marked with **+** count; all others are ignored, and named in one line of the log. Without a file, the flags count.

- A field that is left out or \`null\` has its default. Where the default is marked with **0**, so has one that is \`""\`, \`0\` or \`0s\`.
- A field that is not known, or given twice, is named in the log; the rest of the file counts.
- Everything that is wrong is reported at once, each with its field. The program does not start then.
- The file is looked at every 5 seconds. A change that means something else ends the program with status 1, so that its supervisor starts it
  with the new file. A change that is wrong is refused: the program goes on, says so once, and \`kubeproxy_ipvs_config_file_refused\` is 1.
- \`--write-config-to FILE\` writes what is in force; \`/configz\` on the metrics server shows it.
- Flags take \`--x=y\` and \`--x y\`; \`_\` in a name is \`-\`; a bool alone is true, and \`--x=false\` makes it false; lists and maps grow by comma and repetition.
- Options without effect are accepted and checked, and named in one line of the log when they are set.
`;

/** The text of `docs/configuration.md`. */
export function reference(): string {
  const groups = [...Map.groupBy(fields, ({ group }) => group)];
  const removed = [...removedFlags].map((name) => `\`--${name}\``).join(', ');
  return [
    introduction,
    ...groups.map(([group, rows]) => section(group, rows)),
    `Flags of older releases that are taken and do nothing: ${removed}.\n`,
  ].join('\n');
}

function section(group: string, rows: readonly AnyField[]): string {
  const head = '| field | flag | type, default | |\n|---|---|---|---|\n';
  return `## ${group}\n\n${head}${rows.map(line).join('')}`;
}

function line(row: AnyField): string {
  const { path, flag, shorthand, type, help, deprecated, countsBesideFile, zeroIsDefault } = row;
  const names = [flag && `\`--${flag}\``, shorthand && `\`-${shorthand}\``].filter(Boolean);
  const preset = printDefault(row);
  const cells = [
    isFileField(row) ? `\`${path}\`` : '',
    names.join(', ') + (countsBesideFile ? ' **+**' : ''),
    type.name + (preset === '' ? '' : `, \`${preset}\``) + (zeroIsDefault ? ' **0**' : ''),
    [help, printSupport(row), deprecated && `Deprecated: use \`${deprecated}\`.`]
      .filter(Boolean)
      .join(' '),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}
