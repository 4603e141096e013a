/** The series and the labels that a PromQL expression asks for. */
export interface AskedSeries {
  readonly series: string;
  readonly labels: readonly string[];
}

/** Labels that Prometheus adds to every series of a target, or to every bucket. */
const targetLabels = new Set(['job', 'node', 'instance', 'le']);

/**
 * The series that an expression selects, each with the labels that it is matched by, and those that the expression groups by or its
 * legend names. Understands selectors with braces only, as all of ours have them.
 */
export function askedSeries(expression: string, legend = ''): readonly AskedSeries[] {
  const grouped = [...expression.matchAll(/\b(?:by|without|on) ?\(([^)]*)\)/g)].flatMap(
    ([, names = '']) => names.split(',').map((name) => name.trim()),
  );
  const shown = [...legend.matchAll(/\{\{ ?(?:\$labels\.)?(\w+) ?\}\}/g)].map(
    ([, name = '']) => name,
  );
  return [...expression.matchAll(/\b([a-z_][\w:]*)\{([^}]*)\}/g)].map(
    ([, series = '', matchers = '']) => {
      const matched = [...matchers.matchAll(/(\w+) ?[=!]/g)].map(([, name = '']) => name);
      const labels = new Set([...matched, ...grouped, ...shown]);
      return { series, labels: [...labels].filter((label) => !targetLabels.has(label)) };
    },
  );
}
