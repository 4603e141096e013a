/** The content type of OpenMetrics' text format. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const counterSuffix = '_total';

/**
 * Metrics in Prometheus' text format as OpenMetrics has them: a counter's family has no `_total`, its samples have it, there are no
 * empty lines, and the end is said.
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

/** A sample of a counter whose name does not end as it must. */
function withSuffix(line: string, name: string): string {
  return `${name}${counterSuffix}${line.slice(name.length)}`;
}
