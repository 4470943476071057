# shellcheck shell=bash
# Written by the Python buildpack; read by every dyno before its command. Config vars win over these defaults.

export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"
export PYTHONPATH="${PYTHONPATH:-$HOME}"
export LANG="${LANG:-C.UTF-8}"
export GUNICORN_CMD_ARGS="${GUNICORN_CMD_ARGS:---access-logfile -}"
unset PYTHONHOME

# Web server workers: as many as the cores suggest (2n + 1) and the dyno's memory holds (256 MiB each).
# https://devcenter.heroku.com/articles/python-concurrency
if [[ -z "${WEB_CONCURRENCY:-}" ]]; then
  senryu_memory=""
  for senryu_file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    if [[ -z "$senryu_memory" && -r "$senryu_file" ]]; then read -r senryu_memory <"$senryu_file" || true; fi
  done
  # "max", and cgroup v1's 2^63, mean no limit: take the smallest dyno's 512 MiB.
  if [[ ! "$senryu_memory" =~ ^[0-9]{1,13}$ ]]; then senryu_memory=536870912; fi
  senryu_workers=$((senryu_memory / 268435456))
  senryu_cores=$(($(nproc 2>/dev/null || echo 1) * 2 + 1))
  if ((senryu_workers > senryu_cores)); then senryu_workers=$senryu_cores; fi
  if ((senryu_workers < 1)); then senryu_workers=1; fi
  export WEB_CONCURRENCY="$senryu_workers"
  unset senryu_memory senryu_file senryu_workers senryu_cores
fi
