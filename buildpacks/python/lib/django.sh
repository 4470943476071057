# shellcheck shell=bash
# https://devcenter.heroku.com/articles/django-assets

collect_static_files() {
  local manage log="$CACHE_DIR/collectstatic.log"
  manage="$(find_manage_py)" || return 0
  if [[ -n "${DISABLE_COLLECTSTATIC:-}" && "${DISABLE_COLLECTSTATIC}" != 0 ]]; then
    step "Skipping collectstatic, as DISABLE_COLLECTSTATIC is set"
    return 0
  fi
  step "\$ python $manage collectstatic --noinput"
  if python "$manage" collectstatic --noinput >"$log" 2>&1; then
    indent <"$log"
  elif grep -q "Unknown command: 'collectstatic'" "$log"; then
    detail "django.contrib.staticfiles is not in INSTALLED_APPS; nothing to collect."
  else
    indent <"$log"
    fail "Collecting the static files of this Django app failed; the lines above say why." \
      "Often STATIC_ROOT is missing from the settings, or a config var they read is not set at build time." \
      "Correct that, or run 'senryu config:set DISABLE_COLLECTSTATIC=1' to deploy without, then push again."
  fi
}

# Prints the manage.py nearest to the root, when Django is among the installed packages.
find_manage_py() {
  local installed candidate
  installed=("$PYTHON_HOME"/lib/python*/site-packages/django)
  [[ -d "${installed[0]}" ]] || return 1
  for candidate in manage.py */manage.py */*/manage.py; do
    if [[ -f "$candidate" ]]; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}
