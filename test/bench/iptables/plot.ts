import type { ModeName } from './results.ts';
import type { Summary } from './summary.ts';

/** A picture of one measure over the number of Services. */
export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly measure: string;
  readonly unit: string;
}

/** The pictures of a report. */
export const plots: readonly Plot[] = [
  { name: 'program', title: 'Writing everything', measure: 'program_wall_ms', unit: 'ms' },
  { name: 'change', title: 'Changing one endpoint', measure: 'change_wall_ms', unit: 'ms' },
  {
    name: 'connect',
    title: 'Connecting to the last Service, median',
    measure: 'connect_last_p50_us',
    unit: 'µs',
  },
  {
    name: 'requests',
    title: 'Requests with a connection each, 32 clients',
    measure: 'crr_32_per_s',
    unit: 'requests/s',
  },
];

/** One line of a picture. */
export interface Series {
  readonly mode: ModeName;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** The medians of a measure with two endpoints a Service. A mode without any has no line. */
export function seriesOf(summary: Summary, measure: string): readonly Series[] {
  return summary.modes
    .map((mode) => ({
      mode,
      points: summary.services(2).flatMap((services) => {
        const median = summary.median({ mode, services, endpoints: 2 }, measure);
        return median !== undefined && median > 0 ? [{ x: services, y: median }] : [];
      }),
    }))
    .filter(({ points }) => points.length > 0);
}

const width = 760;
const height = 420;
const area = { left: 76, right: 600, top: 48, bottom: 368 };

/** Colours in light and in dark, and dashes for those who see no colours. */
const looks: Readonly<Record<ModeName, { light: string; dark: string; dashes: string }>> = {
  ipvs: { light: '#0550ae', dark: '#79c0ff', dashes: '' },
  'iptables-nft': { light: '#a40e26', dark: '#ff7b72', dashes: '8 3' },
  'iptables-legacy': { light: '#953800', dark: '#ffa657', dashes: '3 3' },
  nftables: { light: '#116329', dark: '#7ee787', dashes: '12 3 3 3' },
  none: { light: '#57606a', dark: '#b1bac4', dashes: '1 4' },
};

/** A picture with logarithmic axes, as a whole file of SVG. It has no background: it is readable on a light and on a dark one. */
export function drawPlot(
  { title, unit }: Omit<Plot, 'measure' | 'name'>,
  all: readonly Series[],
): string {
  const points = all.flatMap(({ points: some }) => some);
  const x = scale(
    points.map((point) => point.x),
    [area.left, area.right],
  );
  const y = scale(
    points.map((point) => point.y),
    [area.bottom, area.top],
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}, ${unit}">`,
    style(),
    `<text class="title" x="${area.left}" y="26">${title}, ${unit} (both axes logarithmic)</text>`,
    ...x.ticks.map(
      (value) =>
        `<path class="grid" d="M${x.at(value)} ${area.top}V${area.bottom}"/><text x="${x.at(value)}" y="${area.bottom + 20}" text-anchor="middle">${printTick(value)}</text>`,
    ),
    ...y.ticks.map(
      (value) =>
        `<path class="grid" d="M${area.left} ${y.at(value)}H${area.right}"/><text x="${area.left - 8}" y="${y.at(value) + 4}" text-anchor="end">${printTick(value)}</text>`,
    ),
    `<text x="${(area.left + area.right) / 2}" y="${height - 12}" text-anchor="middle">Services with 2 endpoints each</text>`,
    ...all.flatMap(({ mode, points: own }) => [
      `<polyline class="line ${mode}" points="${own.map((point) => `${x.at(point.x)},${y.at(point.y)}`).join(' ')}"/>`,
      ...own.map(
        (point) =>
          `<circle class="dot ${mode}" cx="${x.at(point.x)}" cy="${y.at(point.y)}" r="3"/>`,
      ),
    ]),
    ...all.map(({ mode }, index) => legend(mode, area.top + 12 + index * 24)),
    '</svg>\n',
  ].join('\n');
}

function legend(mode: ModeName, y: number): string {
  const x = area.right + 16;
  return `<path class="line ${mode}" d="M${x} ${y}h28"/><text x="${x + 36}" y="${y + 4}">${mode}</text>`;
}

function style(): string {
  const colours = (theme: 'light' | 'dark') =>
    Object.entries(looks)
      .map(
        ([mode, look]) => `.line.${mode}{stroke:${look[theme]}} .dot.${mode}{fill:${look[theme]}}`,
      )
      .join(' ');
  const dashes = Object.entries(looks)
    .flatMap(([mode, look]) =>
      look.dashes === '' ? [] : [`.line.${mode}{stroke-dasharray:${look.dashes}}`],
    )
    .join(' ');
  return `<style>
text{font:13px system-ui,sans-serif;fill:#1f2328} .title{font-weight:600} .grid{stroke:#d0d7de;stroke-width:1;fill:none} .line{fill:none;stroke-width:2}
${colours('light')}
${dashes}
@media (prefers-color-scheme:dark){text{fill:#e6edf3} .grid{stroke:#3d444d} ${colours('dark')}}
</style>`;
}

/** A logarithmic scale over whole powers of ten around some values. */
function scale(values: readonly number[], [from, to]: readonly [number, number]) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const at = (value: number) =>
    Math.round((from + ((Math.log10(value) - low) / (high - low)) * (to - from)) * 10) / 10;
  return { at, ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)) };
}

function printTick(value: number): string {
  return value >= 1 ? value.toLocaleString('en') : `${Number(value.toPrecision(1))}`;
}
