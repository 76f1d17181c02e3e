#!/bin/sh
# Kafka (KRaft, one node) for tests, and the libraries of Debezium's engine, on Debian: Java and Maven from Debian where the machine
# has none, the rest from Maven into a cache folder.
#
#   scripts/native-kafka.sh start      install what is missing, start, print the variables
#   scripts/native-kafka.sh env        print the variables of the running broker (fails when none runs)
#   scripts/native-kafka.sh crash      end it as a power cut would, and start it again on its ports
#   scripts/native-kafka.sh pause      stop its process where it stands: it accepts connections and answers nothing
#   scripts/native-kafka.sh continue   let it go on
#   scripts/native-kafka.sh stop       end it and delete what it kept
#
# It listens at two ports of the loopback interface: one takes anybody, one takes the account `groundwork` by TLS and SCRAM.
# GROUNDWORK_NATIVE_DIR moves the cache folder (default /var/tmp/groundwork-native).
set -eu

dir=${GROUNDWORK_NATIVE_DIR:-/var/tmp/groundwork-native}
home=$dir/kafka
libraries=$home/lib
state=$home/${GROUNDWORK_NATIVE_INSTANCE:-groundwork}
log=$state/broker.log
here=$(dirname "$0")

say() { echo "native-kafka: $*" >&2; }
fail() { say "$*"; exit 1; }

has_java() { javac -version 2>/dev/null | awk '{ exit $2 + 0 < 17 }'; }

install_all() {
  if ! has_java || ! command -v mvn >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || fail "a JDK 17 or later and Maven are needed: install them, or run this as root"
    say "installing Java and Maven"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends default-jdk-headless maven; } \
      >"$home/apt.log" 2>&1 || fail "Java could not be installed: see $home/apt.log"
    has_java || fail "Debian's Java is older than 17"
  fi
  pom=$(cksum <"$here/kafka/pom.xml")
  [ "$(cat "$home/installed" 2>/dev/null)" = "$pom" ] && return
  say "installing Kafka and Debezium into $libraries (about a minute)"
  rm -rf "$libraries"
  mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libraries" >"$home/maven.log" 2>&1 ||
    fail "Maven failed: see $home/maven.log"
  echo "$pom" >"$home/installed"
}

# A port of the loopback interface that nobody listens at just now.
free_port() {
  while :; do
    port=$(shuf -i 20000-59999 -n 1)
    grep -qi ":$(printf '%04X' "$port") 00000000:0000 0A" /proc/net/tcp /proc/net/tcp6 || break
  done
  echo "$port"
}

java_of_kafka() { java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$libraries/*" "$@"; }

make_state() {
  [ -f "$state/server.properties" ] && return
  rm -rf "$state"
  mkdir -p "$state"
  chmod 700 "$state"
  head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$state/password"
  password=$(cat "$state/password")
  keytool -genkeypair -alias kafka -keyalg RSA -keysize 2048 -dname CN=localhost -ext SAN=dns:localhost -validity 3650 \
    -storetype PKCS12 -keystore "$state/kafka.p12" -storepass "$password" >/dev/null 2>&1 || fail "no certificate could be made"
  keytool -exportcert -rfc -alias kafka -keystore "$state/kafka.p12" -storepass "$password" >"$state/ca.pem" 2>/dev/null
  free_port >"$state/open-port"
  free_port >"$state/closed-port"
  controller=$(free_port)
  cat >"$state/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=CONTROLLER://127.0.0.1:$controller,OPEN://127.0.0.1:$(cat "$state/open-port"),CLOSED://127.0.0.1:$(cat "$state/closed-port")
advertised.listeners=OPEN://127.0.0.1:$(cat "$state/open-port"),CLOSED://localhost:$(cat "$state/closed-port")
listener.security.protocol.map=CONTROLLER:PLAINTEXT,OPEN:PLAINTEXT,CLOSED:SASL_SSL
inter.broker.listener.name=OPEN
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.closed.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location=$state/kafka.p12
ssl.keystore.password=$password
ssl.key.password=$password
log.dirs=$state/data
num.partitions=3
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
  java_of_kafka kafka.tools.StorageTool format --cluster-id "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)" --config "$state/server.properties" \
    --add-scram "SCRAM-SHA-512=[name=groundwork,password=$password]" >"$state/format.log" 2>&1 || fail "its folder could not be made: see $state/format.log"
}

running() { [ -f "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

start_broker() {
  running && return
  : >"$log"
  # shellcheck disable=SC2094
  setsid java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$libraries/*" kafka.Kafka "$state/server.properties" >"$log" 2>&1 </dev/null &
  echo $! >"$state/pid"
  attempt=0
  until grep -q 'Kafka Server started' "$log"; do
    running || fail "Kafka ended: see $log"
    attempt=$((attempt + 1))
    [ "$attempt" -lt 600 ] || fail "Kafka did not start: see $log"
    sleep 0.1
  done
}

kill_broker() {
  running || return 0
  pid=$(cat "$state/pid")
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "$state/pid"
}

print_env() {
  running || fail "not running: scripts/native-kafka.sh start"
  echo "export GROUNDWORK_TEST_KAFKA_URL='kafkas://groundwork:$(cat "$state/password")@localhost:$(cat "$state/closed-port")?sasl=scram-sha-512'"
  echo "export GROUNDWORK_TEST_KAFKA_BROKER='127.0.0.1:$(cat "$state/open-port")'"
  echo "export GROUNDWORK_TEST_KAFKA_LIBRARIES='$libraries'"
  echo "export GROUNDWORK_TEST_KAFKA_CA='$state/ca.pem'"
}

[ -f /etc/debian_version ] || fail "this script knows Debian only"

case "${1:-}" in
start)
  mkdir -p "$home"
  # One at a time: two callers must not install or start twice.
  exec 9>"$home/lock"
  flock 9
  install_all
  make_state
  start_broker 9>&-
  print_env
  ;;
env) print_env ;;
crash)
  kill_broker
  start_broker
  ;;
pause) kill -STOP "$(cat "$state/pid")" ;;
continue) kill -CONT "$(cat "$state/pid")" ;;
stop)
  kill_broker
  rm -rf "$state"
  ;;
*) fail "usage: $0 start | env | crash | pause | continue | stop" ;;
esac
