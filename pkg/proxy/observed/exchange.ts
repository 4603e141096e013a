/** Exchanges the values of two keys, one of which may have none. */
export function exchange<T>(values: Map<string, T>, [one, other]: readonly [string, string]): void {
  const pairs = [
    [one, values.get(other)],
    [other, values.get(one)],
  ] as const;
  for (const [key, value] of pairs) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
}
