# Sourced when a dyno starts. Written by the Node.js buildpack.
export PATH="$HOME/.heroku/node/bin:$HOME/bin:$HOME/node_modules/.bin:$PATH"
export NODE_ENV="${NODE_ENV:-production}"
export NPM_CONFIG_UPDATE_NOTIFIER="${NPM_CONFIG_UPDATE_NOTIFIER:-false}"

senryu_memory_mb() {
  local file bytes
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [ -r "$file" ] && read -r bytes < "$file" || continue
    # An unlimited group says "max" (v2) or a number near 2^63 (v1).
    [[ $bytes =~ ^[0-9]{1,13}$ ]] && { echo $((bytes / 1048576)); return; }
  done
  echo 512
}

export MEMORY_AVAILABLE="${MEMORY_AVAILABLE:-$(senryu_memory_mb)}"
export WEB_MEMORY="${WEB_MEMORY:-512}"
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  WEB_CONCURRENCY=$((MEMORY_AVAILABLE / WEB_MEMORY))
  [ "$WEB_CONCURRENCY" -ge 1 ] || WEB_CONCURRENCY=1
  [ "$WEB_CONCURRENCY" -le 200 ] || WEB_CONCURRENCY=1
  export WEB_CONCURRENCY
fi
unset -f senryu_memory_mb
