/** A base of the image as the Dockerfile names it: the name of its build argument, the repository and the tag. */
interface Base {
  readonly argument: string;
  readonly repository: string;
  readonly tag: string;
}

/** Asks a registry for the digest of a tag; `undefined` if there is no such tag. Throws if the registry does not answer. */
export type AskDigest = (repository: string, tag: string) => Promise<string | undefined>;

const pattern = /^ARG (\w+_IMAGE)=([\w./-]+):([\w.-]+)(?:@sha256:[0-9a-f]{64})?$/gm;

/**
 * The Dockerfile with the digest of each base behind its tag, in the place of an older one. Throws if a registry does not answer, or
 * answers without a digest.
 */
export async function withDigests(dockerfile: string, ask: AskDigest): Promise<string> {
  const bases = [...dockerfile.matchAll(pattern)].map(
    ([, argument = '', repository = '', tag = '']): Base => ({ argument, repository, tag }),
  );
  if (bases.length === 0) throw new Error('the Dockerfile names no base');
  let text = dockerfile;
  for (const { argument, repository, tag } of bases) {
    const digest = await ask(repository, tag);
    if (digest === undefined || !/^sha256:[0-9a-f]{64}$/.test(digest))
      throw new Error(`${repository}:${tag}: the registry names no digest`);
    const line = new RegExp(`^ARG ${argument}=.*$`, 'm');
    text = text.replace(line, `ARG ${argument}=${repository}:${tag}@${digest}`);
  }
  return text;
}

/** What a manifest may be: first the lists that have one image for each processor. */
const accepted = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/** How long a registry may take, in milliseconds. */
const timeout = 30_000;

/** Where Docker Hub answers, and who gives tokens for it. */
export interface Hub {
  readonly registry: string;
  readonly tokens: string;
}

const dockerHub: Hub = {
  registry: 'https://registry-1.docker.io',
  tokens: 'https://auth.docker.io/token?service=registry.docker.io',
};

/** Asks Docker Hub, where images without an owner are in `library`. */
export function askHub({ registry, tokens }: Hub = dockerHub): AskDigest {
  return async (repository, tag) => {
    const name = repository.includes('/') ? repository : `library/${repository}`;
    const signal = AbortSignal.timeout(timeout);
    const scope = `&scope=repository:${name}:pull`;
    const answer = await fetch(tokens + scope, { signal });
    if (!answer.ok) throw new Error(`${tokens}: HTTP ${answer.status}`);
    const { token } = (await answer.json()) as { readonly token?: unknown };
    const url = `${registry}/v2/${name}/manifests/${tag}`;
    const headers = { accept: accepted.join(', '), authorization: `Bearer ${String(token)}` };
    const manifest = await fetch(url, { method: 'HEAD', headers, signal });
    if (manifest.status === 404) return undefined;
    if (!manifest.ok) throw new Error(`${url}: HTTP ${manifest.status}`);
    return manifest.headers.get('docker-content-digest') ?? undefined;
  };
}
