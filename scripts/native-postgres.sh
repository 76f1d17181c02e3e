#!/bin/sh
# Postgres 17 with pgvector and Redis for tests that need a real server (races, kills, throughput), on Debian,
# without touching what the machine has installed: a Debian "trixie" tree in a cache folder, entered by chroot.
#
#   scripts/native-postgres.sh start   install what is missing, start, print the two variables
#   scripts/native-postgres.sh env     print the variables of the running servers (fails when none runs)
#   scripts/native-postgres.sh stop    stop both servers
#
# GROUNDWORK_NATIVE_DIR moves the cache folder (default /var/tmp/groundwork-native). Needs root for chroot.
set -eu

dir=${GROUNDWORK_NATIVE_DIR:-/var/tmp/groundwork-native}
root=$dir/root
state=$dir/state
bin=/usr/lib/postgresql/17/bin
data=/var/lib/postgresql/groundwork
packages=postgresql-17,postgresql-17-pgvector,redis-server

say() { echo "native-postgres: $*" >&2; }
fail() { say "$*"; exit 1; }

as_postgres() { chroot "$root" /usr/bin/setpriv --reuid=postgres --regid=postgres --init-groups /usr/bin/env LC_ALL=C.UTF-8 "$@"; }

install_tree() {
  [ -f "$dir/installed" ] && return
  if ! command -v debootstrap >/dev/null 2>&1; then
    say "installing debootstrap"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y debootstrap; } >"$dir/apt.log" 2>&1 || fail "debootstrap could not be installed: see $dir/apt.log"
  fi
  say "installing $packages into $root (about a minute)"
  rm -rf "$root"
  debootstrap --variant=minbase --include="$packages" trixie "$root" >"$dir/debootstrap.log" 2>&1 || fail "debootstrap failed: see $dir/debootstrap.log"
  touch "$dir/installed"
}

make_data() {
  [ -f "$root$data/PG_VERSION" ] && return
  rm -rf "$root$data"
  mkdir -p "$root$data"
  chroot "$root" chown postgres: "$data"
  head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$dir/password"
  chmod 600 "$dir/password"
  cp "$dir/password" "$root/var/lib/postgresql/password"
  chroot "$root" chown postgres: /var/lib/postgresql/password
  as_postgres "$bin/initdb" -D "$data" -U groundwork --pwfile=/var/lib/postgresql/password \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || fail "initdb failed: see $dir/initdb.log"
  rm "$root/var/lib/postgresql/password"
}

# A port of the loopback interface that nobody listens at just now.
free_port() {
  while :; do
    port=$(shuf -i 20000-59999 -n 1)
    grep -qi ":$(printf '%04X' "$port") 00000000:0000 0A" /proc/net/tcp || break
  done
  echo "$port"
}

pg_port() { sed -n 4p "$root$data/postmaster.pid" 2>/dev/null; }
pg_running() { as_postgres "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }
redis_pid() { cat "$root/run/redis/groundwork.pid" 2>/dev/null; }
redis_running() { pid=$(redis_pid) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }

start_postgres() {
  pg_running && return
  attempt=0
  until as_postgres "$bin/pg_ctl" -D "$data" -l /var/lib/postgresql/server.log -w -t 60 start -o "-p $(free_port) -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories='' -c dynamic_shared_memory_type=mmap -c shared_buffers=256MB -c max_connections=300 -c timezone=Etc/UTC" >/dev/null 2>&1; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 3 ] || fail "Postgres did not start: see $root/var/lib/postgresql/server.log"
  done
}

start_redis() {
  redis_running && return
  mkdir -p "$root/run/redis"
  port=$(free_port)
  chroot "$root" /usr/bin/redis-server --port "$port" --bind 127.0.0.1 --daemonize yes --pidfile /run/redis/groundwork.pid \
    --save '' --appendonly no --maxmemory-policy noeviction --dir /tmp --logfile /tmp/redis.log >/dev/null
  echo "$port" >"$state/redis-port"
  attempt=0
  until chroot "$root" /usr/bin/redis-cli -p "$port" ping >/dev/null 2>&1; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 50 ] || fail "Redis did not start: see $root/tmp/redis.log"
    sleep 0.1
  done
}

print_env() {
  { pg_running && redis_running; } || fail "not running: scripts/native-postgres.sh start"
  echo "export GROUNDWORK_TEST_POSTGRES_URL='postgresql://groundwork:$(cat "$dir/password")@127.0.0.1:$(pg_port)/postgres?sslmode=disable'"
  echo "export GROUNDWORK_TEST_REDIS_URL='redis://127.0.0.1:$(cat "$state/redis-port")'"
}

[ -f /etc/debian_version ] || fail "this script knows Debian only; elsewhere set GROUNDWORK_TEST_POSTGRES_URL and GROUNDWORK_TEST_REDIS_URL yourself"
[ "$(id -u)" = 0 ] || fail "root is needed for chroot: run it with sudo"

case "${1:-}" in
start)
  mkdir -p "$state"
  # One at a time: two callers must not install or start twice.
  exec 9>"$dir/lock"
  flock 9
  install_tree
  make_data
  start_postgres 9>&-
  start_redis 9>&-
  print_env
  ;;
env) print_env ;;
stop)
  if pg_running; then as_postgres "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null; fi
  if redis_running; then kill "$(redis_pid)"; fi
  ;;
*) fail "usage: $0 start | env | stop" ;;
esac
