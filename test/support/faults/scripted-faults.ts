import type { ProxierSettings } from '../../../pkg/proxy/options.ts';
import type { Fault, FaultSource, KernelCall } from './fault.ts';
import { FaultyNode } from './faulty-node.ts';

/** Faults that a test chooses: none until {@link next} is set. */
export class ScriptedFaults {
  /** What goes wrong with a call, from now on. */
  next: FaultSource = () => undefined;
  /** How many faults struck. */
  struck = 0;

  readonly draw = (call: KernelCall): Fault | undefined => {
    const fault = this.next(call);
    if (fault !== undefined) this.struck++;
    return fault;
  };

  /** No more faults. */
  end(): void {
    this.next = () => undefined;
  }
}

/** A node whose kernel fails as a test chooses, after its first sync. */
export async function scriptedNode(
  settings: Partial<ProxierSettings> = {},
): Promise<{ node: FaultyNode; faults: ScriptedFaults }> {
  const faults = new ScriptedFaults();
  const node = new FaultyNode({ draw: faults.draw, strikes: () => false }, { settings });
  await node.stand.sync();
  return { node, faults };
}
