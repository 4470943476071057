# shellcheck shell=bash
# The installed dependencies of the last build, kept whole, so that an unchanged manifest installs nothing.

readonly UV_CACHE_MAX_KIB=1048576

# restore_dependencies: true when the cache held exactly what this manifest asks for.
restore_dependencies() {
  local kept=""
  [[ -d "$CACHE_DIR/environment" ]] || return 1
  IFS= read -r kept <"$CACHE_DIR/environment.key" || return 1
  [[ "$kept" == "$DEPENDENCY_KEY" ]] || return 1
  "${COPY_TREE[@]}" "$CACHE_DIR/environment" "$PYTHON_HOME"
}

# The key is removed first and written last: a build killed in between leaves a miss, never a wrong hit.
# The old environment goes last of all: ext4 creates files slowly for seconds after many were deleted.
store_dependencies() {
  rm -rf "$CACHE_DIR/environment.key" "$CACHE_DIR/environment.new" "$CACHE_DIR/environment.old"
  "${COPY_TREE[@]}" "$PYTHON_HOME" "$CACHE_DIR/environment.new"
  if [[ -d "$CACHE_DIR/environment" ]]; then mv "$CACHE_DIR/environment" "$CACHE_DIR/environment.old"; fi
  mv "$CACHE_DIR/environment.new" "$CACHE_DIR/environment"
  printf '%s\n' "$DEPENDENCY_KEY" >"$CACHE_DIR/environment.key"
  rm -rf "$CACHE_DIR/environment.old"
  bound_uv_cache
}

bound_uv_cache() {
  local size
  size="$(du -sk "$UV_CACHE_DIR")"
  if (( ${size%%[!0-9]*} > UV_CACHE_MAX_KIB )); then
    uv cache clean --quiet
  fi
}
