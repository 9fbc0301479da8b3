#!/bin/sh
# Give the images in a node's file system (/images/*.tar) to its containerd, which runs in it for
# this. In namespaces of mounts and processes of its own: nothing of it is left.
set -eu
root=$1
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
chroot "$root" sh -eu <<'INSIDE'
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >/run/import.toml
containerd --config /run/import.toml >/run/containerd.log 2>&1 &
tries=0
until ctr version >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -gt 300 ]; then cat /run/containerd.log >&2; exit 1; fi
  sleep 0.2
done
for archive in /images/*.tar; do ctr --namespace k8s.io images import --no-unpack "$archive" >/dev/null; done
kill $!
wait $! || true
INSIDE
