#!/bin/bash
# One build, inside its container: unpack the source, let buildpacks compile it, pack the slug.
#
# /build/source     an archive of the app        /build/env/NAME  config vars, one file each (ENV_DIR)
# /build/plan       see read_plan                /buildpacks      the built-in buildpacks
# /cache            what buildpacks keep         /out             what senryud reads afterwards; it believes none of it
#
# Source: https://devcenter.heroku.com/articles/buildpack-api, /articles/slug-compiler
exec </dev/null 2>&1
shopt -s nullglob dotglob
umask 022
FLOW=${BASH_SOURCE[0]%/*}
APP=${SENRYU_APP_DIR:-/app} BUILD=${SENRYU_BUILD_DIR:-/build} OUT=${SENRYU_OUT_DIR:-/out}
CACHE=${SENRYU_CACHE_DIR:-/cache} BUILT_IN=${SENRYU_BUILDPACKS_DIR:-/buildpacks} WORK=${TMPDIR:-/tmp}/buildpacks

step() { printf -- '-----> %s\n' "$*"; }

# The last word of a failed build: senryud shows it as ` !     …`.
fail() {
  printf '%s\n' "$*" >"$OUT/failure"
  exit 1
}

# read_plan: the first line says `detect` or `given`; each other one is KIND, KEY (its cache), NAME and, for KIND git or archive,
# URL and REF, separated by tabs.
read_plan() {
  local kind key name url ref
  KINDS=() KEYS=() NAMES=() URLS=() REFS=()
  {
    read -r MODE
    while IFS=$'\t' read -r kind key name url ref; do
      KINDS+=("$kind") KEYS+=("$key") NAMES+=("$name") URLS+=("$url") REFS+=("$ref")
    done
  } <"$BUILD/plan"
}

unpack_source() {
  local entries status
  # tar counts what comes out of the compression and ends itself there; a sparse file, which is small in the archive, meets the file limit.
  (
    ulimit -f $((SENRYU_SOURCE_MAX_BYTES / 1024))
    exec tar --extract --file="$BUILD/source" --directory="$APP" --no-same-owner --no-same-permissions --delay-directory-restore \
      --exclude=.git --checkpoint=$((SENRYU_SOURCE_MAX_BYTES / 10240)) --checkpoint-action='exec=kill $PPID'
  )
  status=$?
  case $status in
    0) ;;
    143 | 153) fail "The source is larger than the $((SENRYU_SOURCE_MAX_BYTES / 1024 / 1024)) MB allowed unpacked; keep large files elsewhere." ;;
    *) fail "The source archive cannot be unpacked; send a complete tar, optionally compressed by gzip." ;;
  esac
  entries=("$APP"/*)
  [ ${#entries[@]} -gt 0 ] || fail "There are no files to build; commit some and push again."
}

# Archives of code hosts have everything in one folder named after the commit or branch.
enter_only_folder() {
  local entries=("$APP"/*) inside
  [ ${#entries[@]} -eq 1 ] && [ -d "${entries[0]}" ] && [ ! -L "${entries[0]}" ] || return 1
  [[ ${entries[0]##*/} =~ -([0-9a-f]{7,64}|main|master|v?[0-9][0-9.]*)$ ]] || return 1
  mv -- "${entries[0]}" "$WORK.folder" && inside=("$WORK.folder"/*) && [ ${#inside[@]} -gt 0 ] && mv -- "${inside[@]}" "$APP/"
}

# detect DIR: gives DETECTED, what bin/detect printed.
detect() {
  DETECTED=$("$1/bin/detect" "$APP" 2>&1)
}

# Gives CHOSEN, the indexes of the plan's buildpacks that compile.
choose_by_detection() {
  local number
  CHOSEN=()
  step "Determining which buildpack to use for this app"
  for number in "${!KINDS[@]}"; do
    if [ -x "$BUILT_IN/${KEYS[number]}/bin/detect" ] && detect "$BUILT_IN/${KEYS[number]}"; then
      CHOSEN=("$number")
      return 0
    fi
  done
  return 1
}

choose() {
  local number
  if [ "$MODE" = given ]; then
    CHOSEN=("${!KINDS[@]}")
    if [ ${#CHOSEN[@]} -eq 1 ]; then
      step "Using buildpack: ${NAMES[0]}"
    else
      step "Using buildpacks:"
      for number in "${CHOSEN[@]}"; do printf '       %d. %s\n' $((number + 1)) "${NAMES[number]}"; done
    fi
  elif ! choose_by_detection && ! { enter_only_folder && choose_by_detection; }; then
    cat "$FLOW/undetected.txt"
    fail "No default language could be detected for this app; add one of the files named above, or set a buildpack with \`senryu buildpacks:set\`."
  fi
}

# fetch NUMBER: lays the buildpack out in $WORK/NUMBER, where it may write (`export` is beside `bin`).
fetch() {
  local place="$WORK/$1" programs
  mkdir -p "$place"
  case ${KINDS[$1]} in
    built-in) cp -R "$BUILT_IN/${KEYS[$1]}/." "$place" ;;
    *) fetch_outside "$1" "$place" ;;
  esac
  programs=("$place"/bin/*)
  [ ${#programs[@]} -eq 0 ] || chmod +x "${programs[@]}"
  [ -f "$place/bin/compile" ] || fail "${NAMES[$1]} is no buildpack: it has no bin/compile. Give the address of a classic buildpack."
}

run_buildpack() {
  local number=$1 place="$WORK/$1" cache="$CACHE/${KEYS[$1]}" status
  if [ "$MODE" = given ]; then
    fetch "$number"
    if [ -f "$place/bin/detect" ] && ! detect "$place"; then
      [ -z "$DETECTED" ] || printf '%s\n' "$DETECTED"
      fail "The app is not compatible with the buildpack ${NAMES[number]}; add the files it looks for, or choose another with \`senryu buildpacks\`."
    fi
  else
    fetch "$number"
  fi
  TITLE=${DETECTED%%$'\n'*}
  TITLE=${TITLE:-${NAMES[number]}}
  step "$TITLE app detected"
  mkdir -p "$cache"
  (cd "$place" && exec bin/compile "$APP" "$cache" "$BUILD/env")
  status=$?
  [ $status -ne 137 ] || fail "Compiling the $TITLE app was killed, most likely for want of memory; build with fewer parallel jobs or dependencies."
  [ $status -eq 0 ] || fail "Failed to compile the $TITLE app; the lines above say why. Correct it and push again."
  if [ -f "$place/export" ]; then
    # shellcheck source=/dev/null
    . "$place/export"
  fi
  if [ -f "$place/bin/release" ]; then
    "$place/bin/release" "$APP" >"$OUT/release.$number" || fail "The buildpack ${NAMES[number]} failed in bin/release; choose another version of it."
  fi
  printf '%s' "$TITLE" >"$OUT/title"
  printf '%s\n' "${NAMES[number]}" >>"$OUT/used"
}

# Files that may name a database client: senryud looks at them once the build is done. What compiles may write others; those it does not see.
keep_manifests() {
  local name
  for name in $SENRYU_MANIFESTS; do
    if [ -f "$APP/$name" ] && [ ! -L "$APP/$name" ]; then
      head --bytes="$SENRYU_MANIFEST_MAX_BYTES" "$APP/$name" >"$OUT/manifest.$name"
    fi
  done
}

# The same rules as .gitignore, so git applies them. Source: https://devcenter.heroku.com/articles/slug-compiler#ignoring-files
drop_ignored() {
  [ -f "$APP/.slugignore" ] || return 0
  local git=(git --git-dir="$WORK.ignored" --work-tree="$APP")
  export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
  if git init --quiet --bare "$WORK.ignored" && cd "$APP" \
    && "${git[@]}" ls-files -z --others --ignored --directory --exclude-from="$APP/.slugignore" >"$WORK.files"; then
    xargs --null --no-run-if-empty rm -rf -- <"$WORK.files"
  else
    fail "The files named in .slugignore could not be removed; correct it or delete it."
  fi
  unset GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL
}

trust_the_machine() {
  local bundle=/etc/ssl/certs/ca-certificates.crt
  [ ! -r "$bundle" ] || export SSL_CERT_FILE="$bundle" NODE_EXTRA_CA_CERTS="$bundle"
}

main() {
  local number
  ulimit -f "$SENRYU_FILE_MAX_KIB"
  trust_the_machine
  mkdir -p "$WORK"
  read_plan
  unpack_source
  drop_ignored
  choose
  keep_manifests
  for number in "${CHOSEN[@]}"; do run_buildpack "$number"; done
  [ ! -f "$APP/Procfile" ] || head --bytes="$SENRYU_PROCFILE_MAX_BYTES" "$APP/Procfile" >"$OUT/Procfile"
  printf '\001discover\n'
  step "Compressing..."
  pack
}

# shellcheck source=fetch.sh
. "$FLOW/fetch.sh"
# shellcheck source=pack.sh
. "$FLOW/pack.sh"
main
