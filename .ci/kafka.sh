#!/bin/bash
# kafka.sh start DIR [N]   start N Kafka brokers (KRaft; 1 unless given) on free loopback
#                          ports, keep their data and logs in DIR/1 to DIR/N, print their
#                          addresses; fetches Kafka by Maven first
# kafka.sh resume DIR I    start broker I again, on the data that it left
# kafka.sh stop DIR        stop the brokers that were started with DIR
#
# With several brokers, DIR/fronts has a line "A B" for each: clients that come to its
# address B are sent to A, where somebody may listen and pass connections on to B.
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

# configure I writes broker I's settings. Those that differ from Kafka's defaults make
# brokers and a group's members meet, leave and be missed fast enough for a test, and let
# one broker hold what usually three do.
configure() {
  local home=$dir/$1 copies=1 synced=1
  [ "$brokers" -lt 3 ] || { copies=3; synced=2; }
  mkdir -p "$home"
  cat >"$home/server.properties" <<END
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:${port[$1]},FRONT://127.0.0.1:${behind[$1]},CONTROLLER://127.0.0.1:${controller[$1]}
advertised.listeners=PLAINTEXT://127.0.0.1:${port[$1]},FRONT://127.0.0.1:${front[$1]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FRONT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$home/data
num.partitions=8
default.replication.factor=$copies
min.insync.replicas=$synced
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$copies
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$synced
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$synced
END
  cat >"$home/log4j2.properties" <<END
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
END
}

# java_kafka HOME JAVA_OPTION... CLASS ARGUMENT... becomes the program of the class path.
java_kafka() {
  local home=$1
  shift
  exec setsid java -cp "$jars/*" -Dlog4j2.configurationFile="$home/log4j2.properties" "$@" </dev/null
}

# choose_ports takes ports for every broker that no two of them share.
choose_ports() {
  local i p
  local -A taken
  for ((i = 1; i <= brokers; i++)); do
    for name in port controller front behind; do
      until p=$(free_port) && [ -z "${taken[$p]:-}" ]; do :; done
      taken[$p]=1
      declare -g "$name[$i]=$p"
    done
    voters+=${voters:+,}$i@127.0.0.1:${controller[$i]}
  done
}

format() {
  # Any 16 bytes in base64 will do as the cluster's id.
  (java_kafka "$dir/$1" -Xmx128m kafka.tools.StorageTool format -t d2Vpci10ZXN0LWJyb2tlcg \
    -c "$dir/$1/server.properties") >"$dir/$1/format.log" 2>&1 || { tail -n 20 "$dir/$1/format.log" >&2; return 1; }
}

# launch I starts broker I; ready I waits until it takes requests.
launch() {
  local home=$dir/$1
  (java_kafka "$home" -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    kafka.Kafka "$home/server.properties") >"$home/kafka.log" 2>&1 &
  echo $! >"$home/pid"
}

ready() {
  await "$(<"$dir/$1/pid")" 120 grep -q 'Kafka Server started' "$dir/$1/kafka.log" && return
  tail -n 30 "$dir/$1/kafka.log" >&2
  return 1
}

start() {
  local i addresses=
  fetch
  choose_ports
  for ((i = 1; i <= brokers; i++)); do
    configure "$i"
    format "$i"
    launch "$i"
    addresses+=${addresses:+,}127.0.0.1:${port[$i]}
    [ "$brokers" = 1 ] || echo "127.0.0.1:${front[$i]} 127.0.0.1:${behind[$i]}" >>"$dir/fronts"
  done
  for ((i = 1; i <= brokers; i++)); do ready "$i"; done
  echo "$addresses"
}

usage='usage: kafka.sh start DIR [N] | resume DIR I | stop DIR'
dir=${2:?$usage}
mkdir -p "$dir"
heap=384m
port=() controller=() front=() behind=() voters=
case $1 in
  start)
    brokers=${3:-1}
    start
    ;;
  resume)
    launch "${3:?$usage}"
    ready "$3"
    ;;
  stop)
    # All at once, so that none waits for the others to take over its partitions.
    for file in "$dir"/*/pid; do [ ! -f "$file" ] || kill "$(<"$file")" 2>/dev/null || true; done
    for file in "$dir"/*/pid; do stop_pidfile "$file"; done
    ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
