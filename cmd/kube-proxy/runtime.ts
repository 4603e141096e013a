/** The oldest Node that the program runs on. */
export const oldestNode = 24;

/** Why the program cannot run on this version of Node, in one line; undefined if it can. */
export function unsupportedRuntime(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= oldestNode) return undefined;
  return `kube-proxy needs Node ${oldestNode} or newer, this is ${version}`;
}
