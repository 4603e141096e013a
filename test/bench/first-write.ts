/** What a program whose devices are kept in memory prints on its first write. */
export const firstWriteLine = 'first write';
