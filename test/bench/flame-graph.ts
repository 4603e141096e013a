import type { Profiler } from 'node:inspector/promises';

/** A function and what it called, with the microseconds that it and they took. */
interface Frame {
  readonly name: string;
  /** The folder of the project that it is in; '' for Node and V8. */
  readonly folder: string;
  total: number;
  readonly calls: Map<string, Frame>;
}

/** How the drawing is made, in pixels. */
const width = 1200;
const rowHeight = 17;
const top = 48;
/** Frames that are narrower are left out. */
const narrowest = 2;

/**
 * A profile of the CPU as a flame graph in SVG, readable on light and dark ground. Each box is a function; its width is the share of time
 * in which it or what it called ran, and what it called is below it. Boxes of one folder have one colour. What the function `without`
 * took is left out.
 */
export function flameGraph(
  profile: Profiler.Profile,
  { title, without = '(idle)' }: { title: string; without?: string },
): string {
  const root = framesOf(profile, new Set(['(idle)', without]));
  const boxes: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, { x, level }: { x: number; level: number }): void => {
    let at = x;
    for (const call of [...frame.calls.values()].sort((one, other) => other.total - one.total)) {
      const wide = (call.total / root.total) * width;
      if (wide < narrowest) continue;
      depth = Math.max(depth, level + 1);
      boxes.push(box(call, { x: at, level, wide, share: call.total / root.total }));
      draw(call, { x: at, level: level + 1 });
      at += wide;
    }
  };
  draw(root, { x: 0, level: 0 });
  const height = top + depth * rowHeight + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace,monospace" font-size="11">
<style>text{fill:#1f2328}.title{font-size:14px}.box text{fill:#1f2328}@media (prefers-color-scheme:dark){.title{fill:#e6edf3}}</style>
<text class="title" x="4" y="20">${escaped(title)}</text>
<text class="title" x="4" y="38" style="font-size:11px">${(root.total / 1000).toFixed(0)} ms sampled; boxes below ${((narrowest / width) * 100).toFixed(1)} % are left out</text>
${boxes.join('\n')}
</svg>
`;
}

function box(
  { name, folder }: Frame,
  { x, level, wide, share }: { x: number; level: number; wide: number; share: number },
): string {
  const y = top + level * rowHeight;
  const letters = Math.floor((wide - 6) / 6.7);
  const label = letters < 3 ? '' : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
  const place = `x="${x.toFixed(1)}" y="${y}" width="${(wide - 0.5).toFixed(1)}" height="${rowHeight - 1}"`;
  const text =
    label === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escaped(label)}</text>`;
  const hint = `${name}${folder === '' ? '' : `, ${folder}`}: ${(share * 100).toFixed(1)} %`;
  return `<g class="box"><title>${escaped(hint)}</title><rect ${place} fill="${colour(folder)}" rx="1"/>${text}</g>`;
}

/** A light colour of its own for each folder, so that dark text on it can be read anywhere. */
function colour(folder: string): string {
  if (folder === '') return '#d0d7de';
  let hash = 0;
  for (const letter of folder) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return `hsl(${hash} 70% 78%)`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** The calls of a profile, joined by function, without some functions. */
function framesOf(
  { nodes, samples = [], timeDeltas = [] }: Profiler.Profile,
  omitted: ReadonlySet<string>,
): Frame {
  const own = new Map<number, number>();
  samples.forEach((id, at) => own.set(id, (own.get(id) ?? 0) + (timeDeltas[at] ?? 0)));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const root: Frame = { name: '', folder: '', total: 0, calls: new Map() };
  const add = (id: number, into: Frame): number => {
    const node = byId.get(id);
    if (node === undefined) return 0;
    const { functionName, url } = node.callFrame;
    if (omitted.has(functionName)) return 0;
    const folder = folderOf(url);
    const name = functionName === '' ? `(in ${url.split('/').at(-1) ?? '?'})` : functionName;
    const key = `${name} ${url}`;
    const isRoot = functionName === '(root)';
    const frame = isRoot
      ? into
      : (into.calls.get(key) ?? { name, folder, total: 0, calls: new Map() });
    const total =
      (own.get(id) ?? 0) + (node.children ?? []).reduce((sum, child) => sum + add(child, frame), 0);
    frame.total += total;
    if (!isRoot && total > 0) into.calls.set(key, frame);
    return total;
  };
  const [first] = nodes;
  if (first !== undefined) add(first.id, root);
  return root;
}

/** `pkg/proxy/plan` of a file of the project. */
function folderOf(url: string): string {
  const [, folder = ''] = /\/((?:pkg|cmd)\/.*)\/[^/]+$/.exec(url) ?? [];
  return folder;
}
