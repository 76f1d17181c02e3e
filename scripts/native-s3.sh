#!/bin/sh
# Two S3 servers of other people for tests, on Debian, without touching what the machine has installed: a Debian "trixie" tree in
# a cache folder, entered by chroot. Ceph's gateway (radosgw) checks signatures as Amazon does and keeps everything in one SQLite
# file; that way of keeping ignores preconditions and mixes up the parts of large uploads. moto does both right, and takes any
# signature. The tests start and end them themselves.
#
#   scripts/native-s3.sh    install what is missing, print the tree's path
#
# GROUNDWORK_NATIVE_DIR moves the cache folder (default /var/tmp/groundwork-native). Needs root for chroot.
set -eu

dir=${GROUNDWORK_NATIVE_DIR:-/var/tmp/groundwork-native}
tree=$dir/s3
# debootstrap does not resolve virtual packages: python3-cffi-backend is what cryptography needs of one.
packages=radosgw,python3-moto,python3-flask,python3-flask-cors,python3-cffi-backend

say() { echo "native-s3: $*" >&2; }
fail() { say "$*"; exit 1; }

[ -f /etc/debian_version ] || fail "this script knows Debian only"
[ "$(id -u)" = 0 ] || fail "root is needed for chroot: run it with sudo"

mkdir -p "$dir"
# One at a time: two callers must not install twice.
exec 9>"$dir/s3.lock"
flock 9
if [ ! -f "$dir/s3.installed" ]; then
  if ! command -v debootstrap >/dev/null 2>&1; then
    say "installing debootstrap"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y debootstrap; } >"$dir/s3.apt.log" 2>&1 || fail "debootstrap could not be installed: see $dir/s3.apt.log"
  fi
  say "installing $packages into $tree (about two minutes)"
  rm -rf "$tree"
  debootstrap --variant=minbase --include="$packages" trixie "$tree" >"$dir/s3.debootstrap.log" 2>&1 || fail "debootstrap failed: see $dir/s3.debootstrap.log"
  touch "$dir/s3.installed"
fi
echo "$tree"
