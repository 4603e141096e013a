import type { MirrorView } from './mirror.ts';

/** The number of entries of a set and its maximum; `undefined` for a set without one, or if it is unknown. */
export interface SetFill {
  readonly name: string;
  readonly entries: number;
  readonly maximum: number | undefined;
}

/** The fill of our sets that the kernel holds, as far as it is known. */
export function setFillsOf(mirror: Pick<MirrorView, 'sets' | 'setSize'>): readonly SetFill[] {
  return [...mirror.sets].map(([name, { size }]) => ({
    name,
    entries: size,
    maximum: mirror.setSize(name),
  }));
}
