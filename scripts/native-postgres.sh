#!/bin/sh
# Postgres 17 with pgvector and Redis for tests that need a real server (races, kills, throughput), on Debian,
# without touching what the machine has installed: a Debian "trixie" tree in a cache folder, entered by chroot.
#
#   scripts/native-postgres.sh start   install what is missing, start, print the two variables
#   scripts/native-postgres.sh env     print the variables of the running servers (fails when none runs)
#   scripts/native-postgres.sh stop    stop both servers
#
# For tests that break servers, which are then their own (GROUNDWORK_NATIVE_INSTANCE names them, another port and folder
# each; their Redis writes every command to disk before it answers):
#
#   scripts/native-postgres.sh crash postgres | redis   end it as a power cut would, and start it again
#   scripts/native-postgres.sh remove                   stop both and delete what they kept
#
# GROUNDWORK_NATIVE_FSYNC=off waits for no disk: for servers whose data nobody needs again. What dies with it is made anew.
# GROUNDWORK_NATIVE_WAL_LEVEL=logical writes the log for logical decoding.
# GROUNDWORK_NATIVE_DIR moves the cache folder (default /var/tmp/groundwork-native). Needs root for chroot.
set -eu

dir=${GROUNDWORK_NATIVE_DIR:-/var/tmp/groundwork-native}
root=$dir/root
state=$dir/state
bin=/usr/lib/postgresql/17/bin
instance=${GROUNDWORK_NATIVE_INSTANCE:-groundwork}
data=/var/lib/postgresql/$instance
redis_data=/tmp/redis-$instance
# There while Postgres runs without waiting for the disk: found when it does not, its data may be broken.
unsynced=$state/$instance.unsynced
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
  if [ -f "$unsynced" ] && ! pg_running; then rm -rf "$root$data" "$unsynced"; fi
  [ -f "$root$data/PG_VERSION" ] && return
  rm -rf "$root$data"
  mkdir -p "$root$data"
  chroot "$root" chown postgres: "$data"
  if [ ! -f "$dir/password" ]; then
    (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$dir/password")
  fi
  cp "$dir/password" "$root/var/lib/postgresql/password"
  chroot "$root" chown postgres: /var/lib/postgresql/password
  as_postgres "$bin/initdb" -D "$data" -U groundwork --pwfile=/var/lib/postgresql/password \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb-$instance.log" 2>&1 || fail "initdb failed: see $dir/initdb-$instance.log"
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
redis_pid() { cat "$root/run/redis/$instance.pid" 2>/dev/null; }
redis_running() { pid=$(redis_pid) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }

start_postgres() {
  pg_running && return
  disk=
  if [ "${GROUNDWORK_NATIVE_FSYNC:-on}" = off ]; then
    touch "$unsynced"
    disk='-c fsync=off -c full_page_writes=off'
  fi
  attempt=0
  until as_postgres "$bin/pg_ctl" -D "$data" -l "/var/lib/postgresql/$instance.log" -w -t 60 start -o "-p $(free_port) -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories='' -c dynamic_shared_memory_type=mmap -c shared_buffers=256MB -c max_connections=300 -c timezone=Etc/UTC -c wal_level=${GROUNDWORK_NATIVE_WAL_LEVEL:-replica} $disk" >/dev/null 2>&1; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 3 ] || fail "Postgres did not start: see $root/var/lib/postgresql/$instance.log"
  done
}

# On the port that it had before, if any: who was connected comes back to it.
start_redis() {
  redis_running && return
  mkdir -p "$root/run/redis" "$root$redis_data"
  [ -f "$state/$instance.redis-port" ] && port=$(cat "$state/$instance.redis-port") || port=$(free_port)
  durability='--appendonly no'
  [ "$instance" = groundwork ] || durability='--appendonly yes --appendfsync always'
  # shellcheck disable=SC2086
  chroot "$root" /usr/bin/redis-server --port "$port" --bind 127.0.0.1 --daemonize yes --pidfile "/run/redis/$instance.pid" \
    --save '' $durability --maxmemory-policy noeviction --dir "$redis_data" --logfile "$redis_data/redis.log" >/dev/null
  echo "$port" >"$state/$instance.redis-port"
  attempt=0
  until chroot "$root" /usr/bin/redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 100 ] || fail "Redis did not start: see $root$redis_data/redis.log"
    sleep 0.1
  done
}

crash_postgres() { as_postgres "$bin/pg_ctl" -D "$data" -l "/var/lib/postgresql/$instance.log" -w -t 60 -m immediate restart >/dev/null; }

crash_redis() {
  pid=$(redis_pid)
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "$root/run/redis/$instance.pid"
  start_redis
}

stop_both() {
  if pg_running; then as_postgres "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null; fi
  if [ -f "$unsynced" ]; then sync && rm "$unsynced"; fi
  if redis_running; then kill "$(redis_pid)"; fi
  rm -f "$state/$instance.redis-port"
}

print_env() {
  { pg_running && redis_running; } || fail "not running: scripts/native-postgres.sh start"
  echo "export GROUNDWORK_TEST_POSTGRES_URL='postgresql://groundwork:$(cat "$dir/password")@127.0.0.1:$(pg_port)/postgres?sslmode=disable'"
  echo "export GROUNDWORK_TEST_REDIS_URL='redis://127.0.0.1:$(cat "$state/$instance.redis-port")'"
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
stop) stop_both ;;
crash)
  [ "$instance" != groundwork ] || fail "these servers are everybody's: name others by GROUNDWORK_NATIVE_INSTANCE"
  case "${2:-}" in
  postgres) crash_postgres ;;
  redis) crash_redis ;;
  *) fail "usage: $0 crash postgres | redis" ;;
  esac
  ;;
remove)
  [ "$instance" != groundwork ] || fail "these servers are everybody's: name others by GROUNDWORK_NATIVE_INSTANCE"
  if redis_running; then kill -9 "$(redis_pid)"; fi
  if pg_running; then as_postgres "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null; fi
  rm -rf "$root$data" "$root$redis_data" "$root/run/redis/$instance.pid" "$state/$instance.redis-port" "$unsynced" "$root/var/lib/postgresql/$instance.log" "$dir/initdb-$instance.log"
  ;;
*) fail "usage: $0 start | env | stop | crash postgres | crash redis | remove" ;;
esac
