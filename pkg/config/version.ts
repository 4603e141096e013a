/** The minor version of the Kubernetes release that this program corresponds to. */
export const minor = 37;

/** The reported version: that release and a count of our own. */
export const version = `v1.${minor}.0+ipvs.1`;

/** The version of the release, without a patch. */
export const emulated = `1.${minor}`;

/** The labels of `kubernetes_build_info`, and what `--version=raw` prints. */
export const buildInfo = {
  major: '1',
  minor: String(minor),
  git_version: version,
  git_commit: '',
  git_tree_state: '',
  build_date: '',
  go_version: '',
  compiler: `node ${process.version}`,
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
} as const;
