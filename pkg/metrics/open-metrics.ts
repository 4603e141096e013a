/** The content type of OpenMetrics' text format. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const counterSuffix = '_total';

/**
 * Converts Prometheus' text format to OpenMetrics: a counter's family has no `_total` but its samples have, there are no empty
 * lines, and the end is marked.
 */
export function toOpenMetrics(text: string): string {
  const lines: string[] = [];
  let help: string | undefined;
  let bareCounter: string | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      help = line;
      continue;
    }
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name === '') {
      lines.push(bareCounter === undefined ? line : withSuffix(line, bareCounter));
      continue;
    }
    const isCounter = type === 'counter';
    const family =
      isCounter && name.endsWith(counterSuffix) ? name.slice(0, -counterSuffix.length) : name;
    bareCounter = isCounter && family === name ? name : undefined;
    if (help !== undefined) lines.push(help.replace(`# HELP ${name} `, () => `# HELP ${family} `));
    lines.push(`# TYPE ${family} ${type}`);
    help = undefined;
  }
  return `${lines.map((line) => `${line}\n`).join('')}# EOF\n`;
}

/** Adds the suffix that a counter's sample must have. */
function withSuffix(line: string, name: string): string {
  return `${name}${counterSuffix}${line.slice(name.length)}`;
}
