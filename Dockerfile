# The image of a node's kube-proxy: Debian with the tools that the proxy and its operators call, Node, and one bundle.
# Debian's iptables brings both flavours (nft and legacy); the proxy finds out which one the node uses.

# Both bases are build arguments: name them by digest, or take some that were made with debootstrap.
# The first needs npm, the second Debian's package manager.
ARG BUILD_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS debian
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      conntrack ipset iptables kmod libatomic1 libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/lib/dpkg/*-old

FROM ${BUILD_IMAGE} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY test/apiserver/package.json test/apiserver/
RUN npm ci
COPY . .
# What Debian brings, for the SBOM.
COPY --from=debian /var/lib/dpkg/status /usr/lib/os-release /debian/
# Left out: the symbols of Node (18 MB, profiles of JavaScript do not need them) and the maps from the bundles to their sources.
RUN npm run build -- --debian /debian \
 && strip --strip-unneeded --output-file /usr/local/bin/node "$(readlink -f node_modules/.bin/node)" \
 && rm dist/*.map \
 && mv dist/doc .

FROM debian
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/dist/ /usr/local/lib/kube-proxy/
COPY --from=build /src/doc/ /usr/share/doc/kube-proxy/
COPY --from=build /src/hack/release/go-runner.sh /go-runner
RUN ln -s ../lib/kube-proxy/kube-proxy.js /usr/local/bin/kube-proxy
# One arena of glibc's malloc in place of eight for each processor: less memory, and no more CPU.
ENV MALLOC_ARENA_MAX=1
ENTRYPOINT ["/usr/local/bin/kube-proxy"]
