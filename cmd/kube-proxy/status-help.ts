/** The text that `kube-proxy status --help` prints. */
export const statusHelp = `Shows what this node serves: Services, their virtual servers, and the real servers of these with weight and
connections; what drains, why, since when and until when; drift that was repaired lately, syncs, and what of which Service is
not honoured. Nothing is written: no module is loaded, no setting made, nobody waited for.

Usage:
  kube-proxy status [flags]

Flags:
  -n, --namespace name
        Only Services of this namespace.
      --name name
        Only Services of this name.
      --address address
        Only Services with a virtual server or real server on this address; of real servers that one alone.
      --watch
        Shows it again and again, until a signal comes.
      --interval duration
        The pause between two times with --watch (default 2s).
  -o, --output text|json
        Text, or JSON: with the fields of docs/debug-ipvs.md, one Service a line; with --watch one object a line.
      --from-dump file
        The node of a dump (kube-proxy dump) in place of this one, with its objects. Without --config, its configuration counts.
  -h, --help
        This text.

All flags of kube-proxy are taken too. By those of the running proxy (mostly --config) it is found: names, drains and history
come from its /debug/ipvs, over loopback. Beside another kube-proxy, or without any, the kernel is read, and names and what
should be there come from the API (--kubeconfig, --config, or in a pod its own account) or from files (--ipvs-manifests);
without these there are addresses alone. The second line says which it was.

Examples:
  kube-proxy status --config /var/lib/kube-proxy/config.conf
  kube-proxy status -n shop --name catalog --watch
  kube-proxy status --address 10.96.0.10 --kubeconfig /etc/kubernetes/admin.conf
  kube-proxy status -o json | jq '.services[] | select(.unhonoured != [])'
  kube-proxy status --from-dump node.json

Exit status:
  0  everything that is shown is as it should be, as far as that is known; with --watch: a signal came
  1  it cannot be shown: arguments, or the kernel cannot be read
  2  something that is shown is not as it should be, which the last line sums up
  3  no Service is served that was asked for
`;
