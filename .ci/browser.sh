#!/bin/bash
# browser.sh   install Chromium, where it is missing, and the Node modules that drive it;
#              print the folder that holds the modules, for WEIR_TEST_BROWSER
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

playwright=1.65.1 axe=4.14.1
dir=$CI_CACHE/browser-$playwright-$axe
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() {
  if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
      echo "chromium is missing: install it (Debian: apt-get install chromium)" >&2
      return 1
    fi
    retry apt-get update -q && DEBIAN_FRONTEND=noninteractive retry apt-get install -y -q \
      --no-install-recommends chromium || return
  fi
  # playwright-core comes without browsers of its own. Beside the folder and then moved,
  # so that an install that was cut off is not taken for whole.
  if [ ! -d "$dir" ]; then
    rm -rf "$dir.new" && mkdir -p "$dir.new" &&
      (cd "$dir.new" && npm init -y && retry npm install --no-audit --no-fund --ignore-scripts \
        "playwright-core@$playwright" "axe-core@$axe") && mv "$dir.new" "$dir"
  fi
}

install >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
echo "$dir"
