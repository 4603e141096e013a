/** The text that `kube-proxy explain --help` prints. */
export const explainHelp = `Says what becomes of the first packet of a connection on this node, on the state that the kernel holds
now: which rules it meets, which virtual server balances it among which real servers, whose address
they see, how the answer comes back; and, where the objects of the API are known, what is otherwise
than it should be. Nothing is written: no module is loaded, no setting made, nobody waited for.

Usage:
  kube-proxy explain [flags] FROM TO

FROM:
  pod/NAMESPACE/NAME     a pod, of this node or another one
  outside=ADDRESS        a client that is neither this node nor one of its pods
  node, node=ADDRESS     a process of this node; with an address, one that uses it as its source
  ADDRESS                whoever has the address

TO:
  ADDRESS:PORT[/PROTOCOL]       [ADDRESS]:PORT for IPv6; TCP, UDP or SCTP, TCP if it is not given
  node:PORT[/PROTOCOL]          a port of this node
  svc/NAMESPACE/NAME:PORT       the cluster IP of a Service; its port by name or number

Flags:
  -o, --output text|json
        A report for people, or JSON, whose fields docs/troubleshoot.md lists.
      --in device
        The device that the packet comes in by. By default that of the route to its source.
      --source-port number
        The source port, for a connection that may exist.
      --from-dump file
        The node of a dump (kube-proxy dump) in place of this one, with its objects. Without --config,
        its configuration counts.
  -h, --help
        This text.

All flags of kube-proxy are taken too. Those that the running proxy has (mostly --config) say what
should be there. Names and what should be there come from the API (--kubeconfig, --config, or in a
pod its own account) or from files (--ipvs-manifests); without these, ask with addresses. Reading a
pod needs the permission to get pods.

Examples:
  kube-proxy explain 10.244.1.7 10.96.0.10:53/UDP
  kube-proxy explain pod/shop/cart-x svc/shop/catalog:http --kubeconfig /etc/kubernetes/admin.conf
  kube-proxy explain outside=203.0.113.9 node:30080 --config /var/lib/kube-proxy/config.conf
  kube-proxy explain node 10.96.0.1:443 -o json
  kube-proxy explain outside=203.0.113.9 node:30080 --from-dump node.json

Exit status:
  0  a client gets an answer from every real server that may be chosen
  1  the question cannot be answered: arguments, names, or the kernel cannot be read
  2  a client gets no answer, or not from all
  3  it is not known, as the packet meets something that is not understood
`;
