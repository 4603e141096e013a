import type { Operation } from './operation.ts';

/** The order of a plan: see `design.md` section 2. */
const phaseNames = [
  'create',
  'allow',
  'deny',
  'growRules',
  'serve',
  'forget',
  'drain',
  'deleteUnbound',
  'withdrawAllow',
  'deleteBound',
  'unbind',
  'withdrawDeny',
  'shrinkRules',
] as const;

type Phase = (typeof phaseNames)[number];

/** Operations by phase. */
export class Phases {
  readonly #operations = new Map<Phase, Operation[]>(phaseNames.map((name) => [name, []]));

  add(phase: Phase, operation: Operation): void {
    this.#operations.get(phase)?.push(operation);
  }

  inOrder(): readonly Operation[] {
    return [...this.#operations.values()].flat();
  }
}
