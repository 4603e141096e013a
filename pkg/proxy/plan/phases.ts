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

  /** Adds operations that follow one another. */
  addAll(phase: Phase, added: readonly Operation[]): void {
    const operations = this.#operations.get(phase);
    if (operations === undefined) this.#operations.set(phase, [...added]);
    else for (let at = 0; at < added.length; at++) operations.push(added[at] as Operation); // within the list
  }

  inOrder(): readonly Operation[] {
    const [first] = this.#operations.values();
    if (this.#operations.size <= 1) return first ?? none;
    return none.concat(...phaseNames.map((phase) => this.#operations.get(phase) ?? none));
  }
}

const none: Operation[] = [];
