import type { MirrorView } from './mirror.ts';

/** How many entries a set has, and at most; `undefined` for one that has no such limit, or if it is not known. */
export interface SetFill {
  readonly name: string;
  readonly entries: number;
  readonly maximum: number | undefined;
}

/** Our sets that the kernel holds, as far as is known. */
export function setFillsOf(mirror: Pick<MirrorView, 'sets' | 'setSize'>): readonly SetFill[] {
  return [...mirror.sets].map(([name, { size }]) => ({
    name,
    entries: size,
    maximum: mirror.setSize(name),
  }));
}
