# shellcheck shell=bash
# The slug: plain files, directories and symlinks of the app, owned by nobody in particular, without setuid.

pack() {
  local statuses
  cd "$APP" || fail "The app's directory is gone after compiling; choose another buildpack."
  find . -mindepth 1 -name .git -prune -o \( -type f -o -type d -o -type l \) -print0 >"$WORK.files"
  count_files
  tar --create --null --no-recursion --files-from="$WORK.files" --owner=0 --group=0 --numeric-owner --mode=u+rwX,a-st \
    | head --bytes="$SENRYU_UNPACKED_MAX_BYTES" | compressed >"$OUT/slug.tgz"
  statuses=("${PIPESTATUS[@]}")
  # tar is told by SIGPIPE that it wrote more than is taken.
  [ "${statuses[0]}" -ne 141 ] || fail "The app is larger than the $((SENRYU_UNPACKED_MAX_BYTES / 1024 / 1024 / 1024)) GB allowed unpacked; list files it can do without in .slugignore."
  [ "${statuses[*]}" = "0 0 0" ] || fail "The slug could not be packed; the lines above say why."
}

count_files() {
  local count
  # A name takes 4 bytes at least, so most lists need no counting.
  [ "$(stat --format=%s "$WORK.files")" -gt $((SENRYU_FILES_MAX * 4)) ] || return 0
  count=$(tr --complement --delete '\0' <"$WORK.files" | wc --bytes)
  [ "$count" -le "$SENRYU_FILES_MAX" ] || fail "The app has $count files; at most $SENRYU_FILES_MAX are allowed. List those it can do without in .slugignore."
}

compressed() {
  if command -v zstd >/dev/null; then
    exec zstd -1 -T0 --quiet --stdout
  fi
  exec gzip -1 --stdout
}
