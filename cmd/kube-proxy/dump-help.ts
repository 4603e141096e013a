/** What `kube-proxy dump --help` prints. */
export const dumpHelp = `Writes everything that is needed to reproduce this node elsewhere to one file: objects, the kernel's state,
rules, settings, versions, metrics and the last of the log. Nothing is written to the kernel, and no kernel module is loaded.

Usage:
  kube-proxy dump [--output FILE] [--anonymize] [--wait 60s] [the flags of the start]

Flags:
  -o, --output FILE
        Where the dump is written, readable by its owner alone. By default standard output.
      --anonymize
        Replaces names and addresses by others, consistently, with no way back from the dump.
      --wait duration
        How long the API may take (default 60s).
  -h, --help
        This text.

Objects come from the API (--kubeconfig, --config, or in a pod its own account) or from files
(--ipvs-manifests). Metrics and log come from a proxy that runs on this node. The dump has no token, no
kubeconfig, no certificate, no environment and no annotation but ours; docs/dump.md lists what it has.

Examples:
  kube-proxy dump --config /var/lib/kube-proxy/config.conf --output node.json
  kube-proxy dump --config /var/lib/kube-proxy/config.conf --anonymize --output node.json
  kube-proxy dump --kubeconfig /etc/kubernetes/admin.conf | gzip > node.json.gz

Exit status:
  0  everything is in the dump
  1  there is no dump
  2  the dump is written, but not everything could be read: what, and why, is in it and on standard error
`;
