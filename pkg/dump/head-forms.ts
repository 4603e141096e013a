import type { DumpedVersions } from './dump.ts';
import { DumpError } from './dump-error.ts';
import { type Form, lines, metric, objectOf, record, text, word } from './form.ts';
import type { Unread } from './node-parts.ts';
import type { Replace } from './replace.ts';

/** The programs that made a dump. */
export const versionsForm = record<DumpedVersions>({
  program: word(/^[\w.+-]{1,64}$/),
  runtime: word(/^[\w. +-]{1,64}$/),
});

/** What could not be read. */
export const unreadForm = lines(record<Unread>({ part: word(/^[\w ]{1,64}$/), reason: text }));

/** The lines of `/metrics`. */
export const metricsForm = lines(metric);
/** The lines of a log. */
export const logForm = lines(text);

/** How deep a configuration may be nested. */
const deepest = 8;

/** Keys of a configuration whose values are devices, or the first part of their names. */
const deviceKeys: ReadonlySet<string> = new Set(['bridgeInterface', 'interfaceNamePrefix']);

/** A configuration: its texts are words with a meaning, addresses and devices. */
export const configurationForm: Form<Readonly<Record<string, unknown>>> = {
  pieces: (value, replace) => [JSON.stringify(replaced(value, { replace, depth: 0 }))],
  read: objectOf,
};

function replaced(
  value: unknown,
  { replace, depth }: { readonly replace: Replace; readonly depth: number },
): unknown {
  if (depth > deepest) throw new DumpError('the configuration is nested too deep');
  if (typeof value === 'string') return replace.addresses(value);
  if (typeof value !== 'object' || value === null) return value;
  const inside = (item: unknown) => replaced(item, { replace, depth: depth + 1 });
  if (Array.isArray(value)) return value.map(inside);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => {
      const isDevice = deviceKeys.has(key) && typeof item === 'string' && item !== '';
      return [key, isDevice ? replace.name('device', item) : inside(item)];
    }),
  );
}
