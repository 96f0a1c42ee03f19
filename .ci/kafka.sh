#!/bin/bash
# kafka.sh start DIR   start one Kafka broker (KRaft) on a free loopback port, keep its
#                      data and logs in DIR, print its address; fetches it by Maven first
# kafka.sh stop DIR    stop the broker that was started with DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

# The jars, by the version that pom.xml names.
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
jars=$CI_CACHE/kafka-$version

fetch() {
  [ -f "$jars/complete" ] && return
  for tool in mvn java; do
    command -v $tool >/dev/null || { echo "$tool is missing: Kafka needs Maven and Java 17" >&2; return 1; }
  done
  rm -rf "$jars"
  mkdir -p "$jars"
  if ! retry mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars" >"$dir/mvn.log" 2>&1; then
    tail -n 20 "$dir/mvn.log" >&2
    return 1
  fi
  touch "$jars/complete"
}

# configure PORT CONTROLLER_PORT writes the broker's settings. Those that differ from
# Kafka's defaults make a group's members meet, leave and fail fast enough for a test,
# and let one broker hold what usually three do.
configure() {
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
advertised.listeners=PLAINTEXT://127.0.0.1:$1
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
num.partitions=8
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
END
  cat >"$dir/log4j2.properties" <<END
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
END
}

# kafka JAVA_OPTION... CLASS ARGUMENT... becomes the program of the Kafka class path.
kafka() {
  exec setsid java -cp "$jars/*" -Dlog4j2.configurationFile="$dir/log4j2.properties" "$@" </dev/null
}

start() {
  fetch
  local port controller pid
  port=$(free_port)
  until controller=$(free_port) && [ "$controller" != "$port" ]; do :; done
  configure "$port" "$controller"
  # Any 16 bytes in base64 will do as the cluster's id.
  if ! (kafka -Xmx128m kafka.tools.StorageTool format -t d2Vpci10ZXN0LWJyb2tlcg -c "$dir/server.properties") \
    >"$dir/format.log" 2>&1; then
    tail -n 20 "$dir/format.log" >&2
    return 1
  fi
  (kafka -Xms256m -Xmx384m -XX:+UseSerialGC kafka.Kafka "$dir/server.properties") >"$dir/kafka.log" 2>&1 &
  pid=$!
  echo "$pid" >"$dir/pid"
  if ! await "$pid" 90 grep -q 'Kafka Server started' "$dir/kafka.log"; then
    tail -n 30 "$dir/kafka.log" >&2
    return 1
  fi
  echo "127.0.0.1:$port"
}

dir=${2:?usage: kafka.sh start|stop DIR}
mkdir -p "$dir"
case $1 in
  start) start ;;
  stop) stop_pidfile "$dir/pid" ;;
  *) echo "usage: kafka.sh start|stop DIR" >&2; exit 2 ;;
esac
