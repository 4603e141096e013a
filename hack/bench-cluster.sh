#!/usr/bin/env bash
# What one Service with 10,000 endpoints costs the kube-proxy of a TEST cluster, ours or upstream's, in ten minutes:
#
#   hack/bench-cluster.sh                  asks first, and takes everything away again
#   hack/bench-cluster.sh --yes            asks nothing
#
# It makes the namespace kube-proxy-bench with a Service and slices of addresses that nobody has (198.18.0.0/15), changes one
# endpoint after another, and reads two histograms of one node's kube-proxy before and after: sync_proxy_rules_duration_seconds
# and network_programming_duration_seconds. Every node gets the Service. IPVS finds a destination in a list, so that more endpoints
# cost the square: 10,000 is enough. Needs kubectl, curl and awk, and leave to forward a port to the pod of kube-proxy.
#
#   --endpoints N         10000     --changes N        60     --pause SECONDS   2, between changes
#   --settle SECONDS      20: how long the histograms have to stand still, --patience SECONDS 240 at most
#   --pod NAMESPACE/NAME  of kube-proxy; by default the first with k8s-app=kube-proxy or kube-proxy-ipvs in kube-system
#   --metrics-url URL     where its metrics are, if it is no pod
set -euo pipefail

endpoints=10000 changes=60 pause=2 settle=20 patience=240 pod='' url='' yes=no
namespace=kube-proxy-bench
per_slice=100
histograms=(kubeproxy_sync_proxy_rules_duration_seconds kubeproxy_network_programming_duration_seconds)

say() { printf 'bench-cluster: %s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

while (($#)); do
  case $1 in
    --yes) yes=yes ;;
    --help | -h) usage && exit ;;
    --endpoints | --changes | --pause | --settle | --patience | --pod | --metrics-url)
      (($# > 1)) || fail "$1 needs a value"
      name=${1#--}
      [[ $name == metrics-url ]] && name=url
      printf -v "$name" %s "$2" && shift
      ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
for tool in kubectl curl awk; do
  command -v "$tool" >/dev/null || fail "needs $tool"
done
for name in endpoints changes pause settle patience; do
  [[ ${!name} =~ ^[0-9]+$ ]] || fail "--$name takes a number, not ${!name}"
done
((endpoints >= 1 && endpoints <= 100000)) || fail '--endpoints takes 1 to 100000'

# What is made bears this label, and nothing else is taken away: somebody else may make the same names meanwhile.
mark=kube-proxy-bench-run run=$(date +%s)-$$-$RANDOM
work=$(mktemp -d) forward='' begun=no
# Takes away what was made, whatever happened.
clean_up() {
  trap - EXIT
  [[ -z $forward ]] || kill "$forward" 2>/dev/null || true
  if [[ $begun == yes ]]; then
    say "taking away what is labelled $mark=$run"
    take_away -n "$namespace" service,endpointslices
    take_away --wait=false namespace
  fi
  rm -rf "$work"
}
take_away() {
  kubectl delete -l "$mark=$run" "$@" >/dev/null || say "NOT taken away: kubectl delete -l $mark=$run $*"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Prints one slice, by its number. $2 is added to the last part of its first address: another one is another endpoint.
slice() {
  local number=$1 turn=${2:-0} first=$(($1 * per_slice)) last
  last=$((first + per_slice < endpoints ? first + per_slice : endpoints))
  awk -v number="$number" -v first="$first" -v last="$last" -v turn="$turn" -v name="$namespace" \
    -v label="\"$mark\":\"$run\"" -v now="$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" 'BEGIN {
    printf "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":\"bench-%d\",\"namespace\":\"%s\"," \
      "\"labels\":{%s,\"kubernetes.io/service-name\":\"bench\",\"endpointslice.kubernetes.io/managed-by\":\"kube-proxy-bench\"}," \
      "\"annotations\":{\"endpoints.kubernetes.io/last-change-trigger-time\":\"%s\"}},\"addressType\":\"IPv4\"," \
      "\"ports\":[{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}],\"endpoints\":[", number, name, label, now
    for (i = first; i < last; i++) {
      # The first endpoint moves to the second half of the range when it changes.
      at = (i == first && turn > 0) ? 131072 - turn : i + 1
      printf "%s{\"addresses\":[\"198.%d.%d.%d\"],\"conditions\":{\"ready\":true,\"serving\":true,\"terminating\":false}}", \
        (i > first ? "," : ""), 18 + int(at / 65536), int(at / 256) % 256, at % 256
    }
    print "]}"
  }'
}

scrape() { curl -fsS --max-time 60 "$url" >"$1"; }

# How many samples both histograms have.
samples() {
  awk -v first="${histograms[0]}_count" -v second="${histograms[1]}_count" '
    { split($1, part, "{") } part[1] == first || part[1] == second { sum += $NF } END { print sum + 0 }' "$1"
}

# Waits until the histograms stand still for $settle seconds.
settled() {
  local before='' now still=0 end=$((SECONDS + patience))
  while ((still < settle)); do
    ((SECONDS < end)) || { say "not settled within $patience s"; return; }
    sleep 1
    scrape "$work/now"
    now=$(samples "$work/now")
    if [[ $now == "$before" ]]; then still=$((still + 1)); else still=0; fi
    before=$now
  done
}

# What a histogram gained between two scrapes: count, mean, and the bounds of the buckets that hold the median and the p99.
gained() {
  awk -v name="$1" '
    function value(line) { sub(/.* /, "", line); return line + 0 }
    FNR == 1 { file++ }
    { split($1, part, "{") }
    part[1] == name "_count" { count += (file == 1 ? -1 : 1) * value($0) }
    part[1] == name "_sum" { sum += (file == 1 ? -1 : 1) * value($0) }
    part[1] == name "_bucket" && match($0, /le="[^"]*"/) {
      bound = substr($0, RSTART + 4, RLENGTH - 5)
      if (!(bound in bucket)) order[++bounds] = bound
      bucket[bound] += (file == 1 ? -1 : 1) * value($0)
    }
    function share(portion,  i) {
      for (i = 1; i <= bounds; i++) if (bucket[order[i]] >= count * portion) return "≤ " order[i] " s"
      return "-"
    }
    END {
      if (count == 0) print "0 | - | - | -"
      else printf "%d | %.4f s | %s | %s\n", count, sum / count, share(0.5), share(0.99)
    }' "$2" "$3"
}

# One phase: its name, then the command that does it.
phase() {
  local name=$1 since=$SECONDS histogram
  shift
  say "$name"
  scrape "$work/before"
  "$@"
  settled
  scrape "$work/after"
  for histogram in "${histograms[@]}"; do
    printf '| %s | %s | %s | %d s |\n' "$name" "${histogram#kubeproxy_}" \
      "$(gained "$histogram" "$work/before" "$work/after")" "$((SECONDS - since))" >>"$work/table"
  done
}

create_slices() {
  local number slices=$(((endpoints + per_slice - 1) / per_slice))
  for ((number = 0; number < slices; number++)); do slice "$number"; done >"$work/slices"
  kubectl create -f "$work/slices" >/dev/null
}

change_endpoints() {
  local turn
  for ((turn = 1; turn <= changes; turn++)); do
    slice 0 "$turn" | kubectl replace -f - >/dev/null
    sleep "$pause"
  done
}

delete_slices() {
  kubectl -n "$namespace" delete endpointslices -l "$mark=$run" >/dev/null
}

# Forwards a port to the metrics of the pod: they are on the node's loopback, and so is the other end.
forward_metrics() {
  if [[ -z $pod ]]; then
    pod=$(kubectl -n kube-system get pods -l 'k8s-app in (kube-proxy,kube-proxy-ipvs)' \
      --field-selector status.phase=Running -o 'jsonpath={.items[*].metadata.name}')
    pod=kube-system/${pod%% *}
  fi
  [[ ${pod#*/} != '' && $pod == */* ]] || fail 'no pod of kube-proxy in kube-system: name it with --pod, or --metrics-url'
  kubectl -n "${pod%/*}" port-forward "pod/${pod#*/}" :10249 >"$work/forward" &
  forward=$!
  for _ in {1..100}; do
    url=$(sed -n 's|^Forwarding from \(127.0.0.1:[0-9]*\) .*|http://\1/metrics|p' "$work/forward")
    [[ -z $url ]] || return 0
    sleep 0.1
  done
  fail "no way to the metrics of $pod"
}

context=$(kubectl config current-context) || fail 'kubectl has no current context'
[[ -n $url ]] || forward_metrics
scrape "$work/now" || fail "no metrics at $url"
grep -q "^${histograms[0]}" "$work/now" || fail "what answers at $url is no kube-proxy"
there=$(kubectl get namespace "$namespace" --ignore-not-found -o name) || fail "cannot ask for namespace $namespace"
[[ -z $there ]] || fail "there is a namespace $namespace already: not ours to take away"
if [[ $yes == no ]]; then
  printf 'Context %s: every node of that cluster gets a Service with %s endpoints, for some ten minutes.\n' "$context" "$endpoints"
  read -r -p 'It is a cluster for tests, go on? Type its context to say yes: ' answer || answer=''
  [[ $answer == "$context" ]] || fail 'nothing was done'
fi

begun=yes
kubectl create -f - >/dev/null <<END
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"$namespace","labels":{"$mark":"$run"}}}
END
kubectl create -f - >/dev/null <<END
{"apiVersion":"v1","kind":"Service","metadata":{"name":"bench","namespace":"$namespace","labels":{"$mark":"$run"}},
 "spec":{"ports":[{"name":"http","port":80,"targetPort":8080,"protocol":"TCP"}]}}
END
phase "$endpoints endpoints made" create_slices
phase "$changes changes of one endpoint" change_endpoints
phase "$endpoints endpoints deleted" delete_slices

printf '\ncontext %s, metrics of %s, %s\n\n' "$context" "${pod:-$url}" \
  "$(kubectl version -o json | awk -F'"' '/"serverVersion"/ { server = 1 } server && /"gitVersion"/ { print "server " $4; exit }')"
printf '| phase | histogram | samples | mean | median | p99 | phase took |\n|---|---|---:|---:|---:|---:|---:|\n'
cat "$work/table"
