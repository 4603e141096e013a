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
  'withdrawExempt',
  'shrinkRules',
] as const;

type Phase = (typeof phaseNames)[number];

/** Operations by phase. */
export class Phases {
  readonly #operations = new Map<Phase, Operation[]>();

  add(phase: Phase, operation: Operation): void {
    const operations = this.#operations.get(phase);
    if (operations === undefined) this.#operations.set(phase, [operation]);
    else operations.push(operation);
  }

  inOrder(): readonly Operation[] {
    const [first] = this.#operations.values();
    if (this.#operations.size <= 1) return first ?? [];
    return phaseNames.flatMap((phase) => this.#operations.get(phase) ?? []);
  }
}
