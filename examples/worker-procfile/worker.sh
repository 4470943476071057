#!/usr/bin/env bash
# Does a bit of work every few seconds; ends at once when asked to.
set -euo pipefail

INTERVAL_S="${INTERVAL_S:-5}"
trap 'echo "SIGTERM: bye"; kill $(jobs -p) 2>/dev/null || true; exit 0' TERM INT

count=0
while true; do
  count=$((count + 1))
  echo "job $count done"
  # A trap runs only between commands: wait, unlike sleep, is left when a signal comes.
  sleep "$INTERVAL_S" &
  wait "$!"
done
