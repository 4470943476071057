# shellcheck shell=bash
# The server's packages: from the cache while the pinned list and the stack's Python stay the same, else from PyPI.

install_server() {
  local packages="$CACHE_DIR/packages" key kept=""
  command -v python3 >/dev/null || fail "The static buildpack needs the stack's python3, and there is none." "Use a stack that has it."
  key="$(server_key)"
  if [[ -d "$packages" && -f "$CACHE_DIR/key" ]]; then IFS= read -r kept <"$CACHE_DIR/key" || true; fi
  if [[ "$kept" == "$key" ]]; then
    step "Using the cached file server"
  else
    fetch_server "$packages"
    printf '%s\n' "$key" >"$CACHE_DIR/key"
  fi
  copy_tree "$packages" "$SERVER_HOME/packages"
}

server_key() {
  local sum
  sum="$({ python3 -V; echo "$HOSTTYPE"; cat "$BUILDPACK_DIR/server/requirements.txt"; } | sha256sum)"
  printf '%s' "${sum%% *}"
}

# The key is removed first: a build killed in between leaves a miss, never half a server.
fetch_server() {
  command -v uv >/dev/null || fail "The static buildpack needs the program uv, and it is not on PATH." \
    "Ask the platform's operator to install it (pip install uv), then push again."
  step "Installing the file server with uv"
  rm -rf "$CACHE_DIR/key" "$1" "$1.new"
  UV_CACHE_DIR="$CACHE_DIR/uv" uv pip install --quiet --compile-bytecode --require-hashes --only-binary :all: --link-mode copy \
    --python python3 --target "$1.new" --requirement "$BUILDPACK_DIR/server/requirements.txt" 2>&1 | indent ||
    fail "The file server (granian, whitenoise) could not be fetched from the package index; the lines above say why." \
      "Check the index in UV_DEFAULT_INDEX or PIP_INDEX_URL, if set, and the platform's network, then push again."
  rm -rf "$1.new/bin" "$CACHE_DIR/uv"
  mv "$1.new" "$1"
}

# Hard links where cache and slug share a file system and mount, copies where not.
copy_tree() {
  if ln "$CACHE_DIR/key" "$SERVER_HOME/.link-probe" 2>/dev/null; then
    rm -f "$SERVER_HOME/.link-probe"
    cp -al "$1" "$2"
  else
    cp -a "$1" "$2"
  fi
}

# Sites that come from Heroku's own static buildpack have "web: bin/boot" in their Procfile.
write_boot() {
  [[ ! -e "$BUILD_DIR/bin/boot" ]] || return 0
  mkdir -p "$BUILD_DIR/bin"
  printf '#!/bin/sh\nexec python3 "$HOME/.heroku/static/serve.py"\n' >"$BUILD_DIR/bin/boot"
  chmod +x "$BUILD_DIR/bin/boot"
}
