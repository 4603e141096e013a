/** The values of a kubeconfig. */
export interface KubeconfigParts {
  readonly url: string;
  /** PEM; `undefined` for plain HTTP. */
  readonly authority: string | undefined;
  readonly token?: string;
  /** A file that holds the token, read again when it is rotated. */
  readonly tokenFile?: string;
  /** PEM. */
  readonly client?: { readonly certificate: string; readonly key: string };
}

/** The text of a kubeconfig with one context. */
export function printKubeconfig({
  url,
  authority,
  token,
  tokenFile,
  client,
}: KubeconfigParts): string {
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    'current-context: test',
    'contexts:',
    '- name: test',
    '  context: {cluster: test, user: test}',
    'clusters:',
    '- name: test',
    '  cluster:',
    `    server: ${url}`,
    authority === undefined ? '' : `    certificate-authority-data: ${encode(authority)}`,
    'users:',
    '- name: test',
    token === undefined && tokenFile === undefined && client === undefined
      ? '  user: {}'
      : '  user:',
    token === undefined ? '' : `    token: ${token}`,
    tokenFile === undefined ? '' : `    tokenFile: ${tokenFile}`,
    client === undefined ? '' : `    client-certificate-data: ${encode(client.certificate)}`,
    client === undefined ? '' : `    client-key-data: ${encode(client.key)}`,
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
