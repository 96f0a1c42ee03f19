# Shared by run, kafka.sh and redis.sh. Sourced, not run.

# Where downloads are kept between runs. Losing it costs time, nothing else.
CI_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/weir-ci

# free_port prints a loopback port that nobody listens on. It stays below the range
# from which Linux hands out ports by itself (32768 and up), so that no client
# connection takes it before the server does.
free_port() {
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo "no free port between 20000 and 32000" >&2
  return 1
}

# retry runs a command that needs the network up to three times.
retry() {
  for pause in 5 15 0; do
    "$@" && return
    [ "$pause" = 0 ] || sleep "$pause"
  done
  return 1
}

# await PID SECONDS COMMAND... waits until COMMAND succeeds. It fails at once when the
# process PID is gone, and when SECONDS are over.
await() {
  local pid=$1 tries=$(($2 * 10))
  shift 2
  for ((; tries > 0; tries--)); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# stop_pidfile FILE asks the process in FILE to end, and makes it after 10 seconds.
stop_pidfile() {
  local pid
  [ -f "$1" ] || return 0
  pid=$(<"$1")
  rm -f "$1"
  kill "$pid" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
}
