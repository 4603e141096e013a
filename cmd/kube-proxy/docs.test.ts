import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readCommandLine } from '../../pkg/config/command-line.ts';
import { exposedMetrics } from '../../test/support/exposed-metrics.ts';

const top = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, top), 'utf8');
const find = (pattern: string) => globSync(pattern, { cwd: fileURLToPath(top) });
const pages = [...find('*.md'), ...find('docs/**/*.md')];

describe('the documentation', () => {
  test.each(find('deploy/**/daemonset.yaml').filter((file) => !file.includes('templates')))(
    'has manifests whose arguments the program takes: %s',
    (file) => {
      const { kind, spec } = parse(read(file)) as {
        kind: string;
        spec: { template: { spec: { containers: { args: string[] }[] } } };
      };
      const [container] = spec.template.spec.containers;
      expect([kind, readCommandLine(container?.args ?? []).action]).toEqual(['DaemonSet', 'run']);
    },
  );

  test('names metrics that there are', async () => {
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/kubeproxy_ipvs_\w+/g)].map(([name]) => name),
    );
    const exposed = await exposedMetrics();
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !exposed.has(name))).toEqual([]);
  });

  test('has a row for every metric that there is', async () => {
    const rows = read('docs/operating.md').matchAll(/^[|] (`[a-z_]+(?:[{`].*?)?) [|]/gm);
    const named = [...rows].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([a-z_]+)/g)].map(([, name]) => name),
    );
    const exposed = await exposedMetrics();
    expect(exposed.size).toBeGreaterThan(50);
    expect([...exposed.keys()].filter((name) => !named.includes(name))).toEqual([]);
  });

  test('has every section of the design that a comment names', () => {
    const headings = [...read('docs/design.md').matchAll(/^## (\d+)[.]/gm)];
    const sections = new Set(headings.map(([, number]) => number));
    const unresolved = find('{cmd,pkg,test,hack}/**/*.ts').flatMap((file) => {
      const text = read(file).replaceAll(/\n\s*(?:[*]|[/][/]) ?/g, ' ');
      return [...text.matchAll(/design[.]md`? section (\d+)/g)]
        .filter(([, number]) => !sections.has(number))
        .map(([reference]) => `${file}: ${reference}`);
    });
    expect([sections.size, unresolved]).toEqual([8, []]);
  });

  test.each([
    ['### What a node serves', ['pkg/status/print.ts'], 14],
    ['### Another kube-proxy', ['pkg/preview/print.ts', 'cmd/kube-proxy/plan.ts'], 10],
    ['### Many Services at once', find('{cmd,pkg}/**/*.ts'), 40],
  ])('quotes what the program says: %s', (heading, files, count) => {
    const source = files.filter((file) => !file.endsWith('.test.ts')).map(codeOf);
    const page = read('docs/troubleshoot.md');
    const table = page.split(`\n${heading}`)[1]?.split('\n## ')[0]?.split('\n### ')[0] ?? '';
    const quoted = [...table.matchAll(/“(.*?)”/g)].map(([, text = '']) => text);
    expect(quoted.length).toBeGreaterThan(count);
    const isSaid = (text: string) => source.some((code) => code.includes(text));
    expect(quoted.filter((text) => !isSaid(text))).toEqual([]);
  });

  test('quotes what kubectl ipvs says', () => {
    const script = read('deploy/kubectl/kubectl-ipvs').replaceAll(/^ *#.*$/gm, '');
    const section = read('docs/troubleshoot.md').split('\n## From your own machine')[1] ?? '';
    const table = section.split('| it says |')[1]?.split('\n## ')[0] ?? '';
    const said = [...table.matchAll(/^[|]([^|]*)[|]/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(.*?)`/g)].map(([, text = '']) => text),
    );
    // Names and what stands for them differ.
    const pieces = said.flatMap((text) => text.split(/NAMESPACE\/NAME|NODE|NAME|explain|…/));
    expect(said.length).toBeGreaterThan(7);
    expect(pieces.filter((piece) => !script.includes(piece.trim()))).toEqual([]);
  });

  test('has every page that a comment names', () => {
    const missing = find('{cmd,pkg,test,hack}/**/*.ts').flatMap((file) =>
      missingFiles(read(file).matchAll(/`(docs\/[\w/-]+[.]md)`/g)).map(
        (page) => `${file}: ${page}`,
      ),
    );
    expect(missing).toEqual([]);
  });

  test.each(pages)('%s names files that are there', (page) => {
    const path = /`((?:cmd|docs|hack|pkg|test)\/[\w/.-]+[.](?:c|json|md|sh|ts|txt))`/g;
    expect(missingFiles(read(page).matchAll(path))).toEqual([]);
  });

  test.each(pages)('%s links to files that are there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#]+)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !link.includes('://'));
    expect(links.filter((link) => !exists(new URL(link, new URL(page, top))))).toEqual([]);
  });

  test.each(pages)('%s links to headings that are there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)];
    const missing = links.filter(([, target = '', anchor = '']) => {
      const url = target === '' ? new URL(page, top) : new URL(target, new URL(page, top));
      return exists(url) && !anchorsOf(readFileSync(url, 'utf8')).includes(anchor);
    });
    expect(missing.map(([link]) => link)).toEqual([]);
  });
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The text of a source file without its comments. */
function codeOf(file: string): string {
  return read(file).replaceAll(/^ *(?:[*]|[/][*]|[/][/]).*$/gm, '');
}

/** Those of the named files that are not there. */
function missingFiles(names: Iterable<RegExpExecArray>): readonly string[] {
  return [...names].flatMap(([, name = '']) => (exists(new URL(name, top)) ? [] : [name]));
}

function exists(url: URL): boolean {
  try {
    return readFileSync(url).length > 0;
  } catch {
    return false;
  }
}
