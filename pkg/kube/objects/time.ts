/** RFC 3339, as the API writes times: with a zone, so that all nodes read the same. */
const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The time that a text of the API means in milliseconds since 1970, or `undefined` if it means none. */
export function parseTime(text: string): number | undefined {
  const time = pattern.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
