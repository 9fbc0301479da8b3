#!/bin/sh
# Nothing leaves the machine: what a node or its pods send to neither a node, a pod nor this machine
# is rejected at once. Run before any pod can, so a cluster without these rules does not start.
# A table of its own: what kube-proxy's rules accept is still looked at here.
set -eu
# An address of a Service that kube-proxy does not know yet would follow the default route.
nodes=$(ip -4 route show dev eth0 scope link | cut -d' ' -f1)
nft -f - <<RULES
table inet zerog
delete table inet zerog
table inet zerog {
  chain leave {
    ip daddr { $nodes, 10.244.0.0/16 } return
    ip6 daddr { fc00::/7, fe80::/10, ff00::/8 } return
    counter reject
  }
  chain output { type filter hook output priority 10; oifname "eth0" jump leave; }
  chain forward { type filter hook forward priority 10; oifname "eth0" jump leave; }
}
RULES
