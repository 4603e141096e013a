import { metricsIn } from './exposed-metrics.ts';

/** Words for units that are not the base unit, by the base unit, and with every prefix of the SI. */
const otherUnits = /^(?:minutes|hours|days|weeks|fahrenheit|inches|miles|bits|pounds|calories)$/;
const prefixed =
  /^(?:pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mebi|giga|gibi|tera|tebi|peta|pebi)(?:bytes|seconds|bits|meters|grams|volts|amperes|joules)$/;
const abbreviations = new Set('s ms us ns sec b kb mb gb tb pb m h d'.split(' '));

/** A rule of Prometheus' for metrics; it complains of one. */
type Rule = (
  name: string,
  metric: { readonly type: string; readonly labels: ReadonlySet<string>; readonly help: string },
) => string | undefined;

const rules: readonly Rule[] = [
  (_, { help }) => (help === '' ? 'no help' : undefined),
  (name, { type }) =>
    type === 'counter' && !name.endsWith('_total') ? 'a counter without _total' : undefined,
  (name, { type }) =>
    type !== 'counter' && name.endsWith('_total') ? '_total, and no counter' : undefined,
  (name, { type }) =>
    type !== 'histogram' && /_(?:bucket|sum|count)$/.test(name)
      ? 'a suffix of histograms'
      : undefined,
  (_, { type, labels }) =>
    type !== 'histogram' && (labels.has('le') || labels.has('quantile'))
      ? 'a label of histograms'
      : undefined,
  (name, { type }) => (name.split('_').includes(type) ? 'its type in its name' : undefined),
  (name, { labels }) =>
    [name, ...labels].some((each) => /[a-z][A-Z]/.test(each)) ? 'camelCase' : undefined,
  (name) => (name.includes(':') ? "a ':', which is for recording rules" : undefined),
  (name) =>
    name.split('_').some((word) => otherUnits.test(word) || prefixed.test(word))
      ? 'no base unit'
      : undefined,
  (name) =>
    name.split('_').some((word) => abbreviations.has(word)) ? 'an abbreviated unit' : undefined,
];

/** What `promtool check metrics` would complain of in an exposition: `NAME: complaint`. */
export function lintMetrics(text: string): readonly string[] {
  const helps = new Map(
    [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => [name, help]),
  );
  const complaints = [...metricsIn(text)].flatMap(([name, { type, labels }]) =>
    rules.flatMap((rule) => {
      const complaint = rule(name, { type, labels, help: helps.get(name) ?? '' });
      return complaint === undefined ? [] : [`${name}: ${complaint}`];
    }),
  );
  return [...complaints, ...repeated(text)];
}

/** Series that stand more than once. */
function repeated(text: string): readonly string[] {
  const seen = new Set<string>();
  return text.split('\n').flatMap((line) => {
    const [series = ''] = line.split(/ (?=\S+$)/);
    if (line === '' || line.startsWith('#')) return [];
    if (seen.has(series)) return [`${series}: twice`];
    seen.add(series);
    return [];
  });
}
