# shellcheck shell=bash
# Buildpacks from elsewhere: a git repository or an archive, over http(s) and git:// only.

FETCH_TIMEOUT_S=180
ARCHIVE_MAX_BYTES=$((256 * 1024 * 1024))

# fetch_outside NUMBER DIRECTORY
fetch_outside() {
  local kept="$CACHE/.buildpacks/${KEYS[$1]}"
  mkdir -p "$kept"
  case ${KINDS[$1]} in
    git) fetch_git "${URLS[$1]}" "${REFS[$1]:-HEAD}" "$kept" "$2" ;;
    archive) fetch_archive "${URLS[$1]}" "$kept" "$2" ;;
  esac || fail "The buildpack ${NAMES[$1]} could not be fetched; the lines above say why. Check its address."
}

# Fetched again for each build, but only what is new.
fetch_git() (
  git=(git --git-dir="$3/git" --work-tree="$4" -c protocol.allow=never -c protocol.https.allow=always -c protocol.http.allow=always
    -c protocol.git.allow=always -c fetch.fsckObjects=true -c core.hooksPath=/dev/null -c submodule.recurse=false -c advice.detachedHead=false)
  export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false
  [ -d "$3/git" ] || git init --quiet --bare "$3/git" || exit
  timeout "$FETCH_TIMEOUT_S" "${git[@]}" fetch --quiet --depth=1 --no-tags --no-recurse-submodules -- "$1" "$2" || exit
  "${git[@]}" checkout --quiet --force FETCH_HEAD -- .
)

fetch_archive() {
  local archive="$2/archive" inside
  # Only a server that gives entity tags lets the kept copy be used again.
  curl --silent --show-error --fail --location --proto '=http,https' --proto-redir '=http,https' --max-redirs 5 \
    --max-time "$FETCH_TIMEOUT_S" --max-filesize "$ARCHIVE_MAX_BYTES" --etag-compare "$2/etag" --etag-save "$2/etag.new" \
    --output "$2/archive.new" -- "$1" || return
  [ ! -s "$2/archive.new" ] || mv "$2/archive.new" "$archive"
  [ ! -s "$2/etag.new" ] || mv "$2/etag.new" "$2/etag"
  [ -s "$archive" ] || return
  if [ "$(head --bytes=2 "$archive")" = PK ]; then
    python3 -I -m zipfile -e "$archive" "$3" || return
  else
    tar --extract --file="$archive" --directory="$3" --no-same-owner || return
  fi
  inside=("$3"/*)
  if [ ${#inside[@]} -eq 1 ] && [ ! -e "$3/bin" ]; then
    mv -- "${inside[0]}" "$3.folder" && cp -R "$3.folder/." "$3" && rm -rf "${inside[0]}"
  fi
}
