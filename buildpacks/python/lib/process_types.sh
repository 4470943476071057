# shellcheck shell=bash
# A guess at how to start an app that has no Procfile. In this order:
#   Django             gunicorn PROJECT.wsgi, or manage.py runserver without gunicorn
#   uvicorn installed  uvicorn MODULE:NAME   } for the first of app, main, wsgi, asgi, server (.py)
#   gunicorn installed gunicorn MODULE:NAME  } that assigns app or application at its top level
#   else               python MODULE.py      for the first of app, main, server

installed() { [[ -d "${SITE_PACKAGES[0]}/$1" ]]; }

# Prints the command of the web process; false when there is no good guess.
web_command() {
  local target
  if installed django && django_command; then return 0; fi
  if target="$(callable_in_module)"; then
    # An ASGI application under a WSGI server answers every request with an error, so the framework decides.
    if installed uvicorn && { installed starlette || ! installed gunicorn; }; then
      printf 'uvicorn %s --host 0.0.0.0 --port $PORT' "$target"
      return 0
    elif installed gunicorn; then
      printf 'gunicorn %s' "$target"
      return 0
    fi
  fi
  script_command
}

django_command() {
  local manage wsgi folder
  for manage in manage.py */manage.py; do
    [[ -f "$manage" ]] || continue
    folder="${manage%manage.py}"
    for wsgi in "$folder"*/wsgi.py; do
      if [[ -f "$wsgi" ]] && installed gunicorn; then
        wsgi="${wsgi#"$folder"}"
        printf 'gunicorn %s%s.wsgi' "${folder:+--chdir $folder }" "${wsgi%/wsgi.py}"
        return 0
      fi
    done
    printf 'python %s runserver 0.0.0.0:$PORT' "$manage"
    return 0
  done
  return 1
}

callable_in_module() {
  local module line
  for module in app main wsgi asgi server; do
    [[ -f "$module.py" ]] || continue
    while IFS= read -r line || [[ -n "$line" ]]; do
      if [[ "$line" =~ ^(app|application)[[:space:]]*(:[^=]*)?=[^=] ]]; then
        printf '%s:%s' "$module" "${BASH_REMATCH[1]}"
        return 0
      fi
    done <"$module.py"
  done
  return 1
}

script_command() {
  local module
  for module in app main server; do
    if [[ -f "$module.py" ]]; then
      printf 'python %s.py' "$module"
      return 0
    fi
  done
  return 1
}
