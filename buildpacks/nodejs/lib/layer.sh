# One dependency layer per app in the cache: a tar file and the key it was made for.
# The key is removed before the tar changes, so a build killed halfway leaves no lie behind.

layer_matches() { # KEY
  [ -f "$CACHE_DIR/nodejs/layer.key" ] && [ "$(<"$CACHE_DIR/nodejs/layer.key")" = "$1" ] \
    && [ -f "$CACHE_DIR/nodejs/layer.tar" ]
}

layer_paths() {
  find . -path ./.heroku -prune -o -type d -name node_modules -prune -print0
  local extra
  for extra in .pnp.cjs .pnp.loader.mjs .yarn/cache .yarn/unplugged .yarn/install-state.gz; do
    [ -e "$extra" ] && printf './%s\0' "$extra"
  done
  return 0
}

save_layer() { # KEY
  local layer="$CACHE_DIR/nodejs/layer"
  rm -f "$layer.key" "$layer.tar" "$layer.tar.new"
  layer_paths | tar -cf "$layer.tar.new" --null --files-from=-
  mv "$layer.tar.new" "$layer.tar"
  printf '%s' "$1" > "$layer.key"
}

restore_layer() {
  layer_paths | xargs -0 -r rm -rf
  tar -xf "$CACHE_DIR/nodejs/layer.tar"
}

# `cacheDirectories` of package.json: build caches such as .next/cache, kept between builds.
each_cache_directory() {
  package_json lines cacheDirectories | grep -vE '^(/|node_modules$)|(^|/)\.\.(/|$)' || true
}

restore_cache_directories() {
  local dir
  each_cache_directory | while read -r dir; do
    [ -d "$CACHE_DIR/nodejs/directories/$dir" ] || continue
    mkdir -p "./$dir"
    cp -a "$CACHE_DIR/nodejs/directories/$dir/." "./$dir/"
    detail "Restored $dir"
  done
}

save_cache_directories() {
  local dir
  rm -rf "$CACHE_DIR/nodejs/directories"
  each_cache_directory | while read -r dir; do
    [ -d "./$dir" ] || continue
    mkdir -p "$CACHE_DIR/nodejs/directories/$dir"
    cp -a "./$dir/." "$CACHE_DIR/nodejs/directories/$dir/"
  done
}
