#!/bin/bash
# redis.sh start DIR   start a redis-server on a free loopback port, keep its files in
#                      DIR, print its address; installs it first where it is missing
# redis.sh stop DIR    stop the server that was started with DIR
# redis.sh install DIR install redis-server where it is missing, with a log in DIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  command -v redis-server >/dev/null && return
  if [ "$(id -u)" != 0 ]; then
    echo "redis-server is missing: install it (Debian: apt-get install redis-server)" >&2
    return 1
  fi
  # Debian starts a daemon on installation unless this file forbids it.
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e $policy ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
  fi
  local failed=
  { retry apt-get update -q && DEBIAN_FRONTEND=noninteractive retry apt-get install -y -q \
    --no-install-recommends redis-server; } >"$dir/apt.log" 2>&1 || failed=1
  [ -z "$ours" ] || rm -f $policy
  [ -z "$failed" ] || { tail -n 20 "$dir/apt.log" >&2; return 1; }
}

start() {
  install
  local port pid
  port=$(free_port)
  # Nothing on disk: the data dies with the run. noeviction, because a store that
  # drops keys when it is full is not a store.
  setsid redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" \
    --save "" --appendonly no --maxmemory-policy noeviction \
    >"$dir/redis.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$dir/pid"
  if ! await "$pid" 10 grep -q 'Ready to accept connections' "$dir/redis.log"; then
    tail -n 20 "$dir/redis.log" >&2
    return 1
  fi
  echo "127.0.0.1:$port"
}

dir=${2:?usage: redis.sh start|stop|install DIR}
mkdir -p "$dir"
case $1 in
  start) start ;;
  stop) stop_pidfile "$dir/pid" ;;
  install) install ;;
  *) echo "usage: redis.sh start|stop|install DIR" >&2; exit 2 ;;
esac
