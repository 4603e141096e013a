/** RFC 3339 with a zone, as the API writes times, so that all nodes read the same. */
const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Parses a time of the API to milliseconds since 1970; `undefined` if it is invalid. */
export function parseTime(text: string): number | undefined {
  const time = pattern.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
