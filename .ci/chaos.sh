#!/bin/bash
# chaos.sh [ROUNDS [GO_TEST_FLAG...]]   run the chaos suite on servers of its own, each
#                                       fault ROUNDS times (5), and print its table
#
# Needs what kafka.sh and redis.sh need.
set -euo pipefail
exec </dev/null
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."
. .ci/lib.sh
unset "${!WEIR_@}"

tmp=$(mktemp -d)
finish() {
  local file
  for file in "$tmp"/processes/*/pid; do
    case $(readlink "/proc/$(cat "$file" 2>/dev/null)/exe" 2>/dev/null) in
      "$tmp"/* | */redis-server) stop_pidfile "$file" ;; # left behind by a suite that was killed
    esac
  done
  bash .ci/kafka.sh stop "$tmp/kafka" || true
  rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM

rounds=${1:-5}
shift || true
bash .ci/redis.sh install "$tmp"
bash .ci/kafka.sh start "$tmp/kafka" 3 >"$tmp/addresses"
# Most of a test's time is waiting, so that several may run side by side.
failed=0
CHAOS_DIR=$tmp CHAOS_ROUNDS=$rounds go test -count=1 -timeout=120m -parallel 3 "$@" ./internal/chaos || failed=$?
[ ! -f "$tmp/table.md" ] || cat "$tmp/table.md"
exit "$failed"
