# shellcheck shell=bash
# uv, and the directories it works in.

require_uv() {
  command -v uv >/dev/null && return 0
  fail "The Python buildpack needs the program uv, and it is neither in /opt/senryu/tools/bin nor elsewhere on PATH." \
    "Ask the platform's operator to install it (pip install uv), then push again."
}

prepare_directories() {
  rm -rf "$PYTHON_HOME" "$INTERPRETER_HOME"
  mkdir -p "$BUILD_DIR/.heroku" "$BUILD_DIR/.profile.d" "$CACHE_DIR/uv"
  export UV_CACHE_DIR="$CACHE_DIR/uv"
  export UV_PYTHON_INSTALL_DIR="$CACHE_DIR/interpreters"
  # The operator's own certificate authorities count, as they do for curl and git; without any, uv brings its own list.
  if [[ -s /etc/ssl/certs/ca-certificates.crt || -n "${SSL_CERT_FILE:-}" ]]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"; fi
  export UV_NO_PROGRESS=1
  # The build itself chooses and fetches interpreters, so that it can explain a failure.
  export UV_PYTHON_DOWNLOADS=manual
  unset PYTHONHOME VIRTUAL_ENV
  choose_link_mode
}

# Hard links make installing and restoring cheap, but only inside one file system and mount.
choose_link_mode() {
  local probe="$CACHE_DIR/.link-probe"
  : >"$probe"
  rm -f "$BUILD_DIR/.heroku/.link-probe"
  if ln "$probe" "$BUILD_DIR/.heroku/.link-probe" 2>/dev/null; then
    COPY_TREE=(cp -al)
    rm -f "$BUILD_DIR/.heroku/.link-probe"
  else
    COPY_TREE=(cp -a)
    export UV_LINK_MODE="${UV_LINK_MODE:-copy}"
  fi
}
