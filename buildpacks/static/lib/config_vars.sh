# shellcheck shell=bash
# Of the config vars in ENV_DIR only those matter here that say where packages come from.

load_registry_settings() {
  local file value
  export UV_NO_PROGRESS=1
  # The operator's own certificate authorities count, as they do for curl and git; without any, uv brings its own list.
  if [[ -s /etc/ssl/certs/ca-certificates.crt || -n "${SSL_CERT_FILE:-}" ]]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"; fi
  [[ -d "$1" ]] || return 0
  for file in "$1"/UV_* "$1"/PIP_*; do
    [[ -f "$file" && "${file##*/}" =~ ^[A-Z_]+$ && "${file##*/}" != UV_CACHE_DIR ]] || continue
    value=""
    # read reports end of file as failure; the value is there all the same.
    IFS= read -r -d '' value <"$file" || true
    # As $(cat) would, which is how Heroku's buildpacks read these files.
    while [[ "$value" == *$'\n' ]]; do value="${value%$'\n'}"; done
    export "${file##*/}=$value"
  done
  default_from UV_DEFAULT_INDEX PIP_INDEX_URL
  default_from UV_INDEX PIP_EXTRA_INDEX_URL
  default_from UV_FIND_LINKS PIP_FIND_LINKS
  default_from SSL_CERT_FILE PIP_CERT
}

# default_from NAME OTHER: NAME takes OTHER's value when only OTHER is set.
default_from() {
  if [[ -z "${!1:-}" && -n "${!2:-}" ]]; then
    export "$1=${!2}"
  fi
}
