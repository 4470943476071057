# shellcheck shell=bash
# Config vars arrive as files in ENV_DIR, one a name. https://devcenter.heroku.com/articles/buildpack-api#bin-compile

# Config vars that would break the build's own programs rather than configure the app.
readonly NOT_FOR_THE_BUILD='^(PATH|HOME|PWD|OLDPWD|TMPDIR|SHELL|IFS|ENV|BASH_ENV|PS4|UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH.*|LD_.*|LIBRARY_PATH|CPATH|CPPATH|GIT_DIR|PYTHONHOME|VIRTUAL_ENV|UV_CACHE_DIR|UV_PROJECT_ENVIRONMENT|UV_PYTHON_INSTALL_DIR)$'

# What of the configuration decides which packages an installation gives; part of the cache key.
INSTALL_CONFIGURATION=""

load_config_vars() {
  local file name value
  [[ -d "$1" ]] || return 0
  for file in "$1"/*; do
    name="${file##*/}"
    [[ -f "$file" && "$name" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
    [[ "$name" =~ $NOT_FOR_THE_BUILD ]] && continue
    value=""
    # read reports end of file as failure; the value is there all the same.
    IFS= read -r -d '' value <"$file" || true
    # As $(cat) would, which is how Heroku's buildpacks read these files.
    while [[ "$value" == *$'\n' ]]; do value="${value%$'\n'}"; done
    export "$name=$value"
    [[ "$name" == UV_* || "$name" == PIP_* ]] && INSTALL_CONFIGURATION+="$name=$value"$'\n'
  done
  translate_pip_settings
}

# uv does not read pip's variables; people moving from Heroku have set those.
translate_pip_settings() {
  default_from UV_DEFAULT_INDEX PIP_INDEX_URL
  default_from UV_INDEX PIP_EXTRA_INDEX_URL
  default_from UV_FIND_LINKS PIP_FIND_LINKS
  default_from UV_INSECURE_HOST PIP_TRUSTED_HOST
  default_from UV_CONSTRAINT PIP_CONSTRAINT
  default_from UV_HTTP_TIMEOUT PIP_DEFAULT_TIMEOUT
  default_from SSL_CERT_FILE PIP_CERT
}

# default_from NAME OTHER: NAME takes OTHER's value when only OTHER is set.
default_from() {
  if [[ -z "${!1:-}" && -n "${!2:-}" ]]; then
    export "$1=${!2}"
  fi
}
