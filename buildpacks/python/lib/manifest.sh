# shellcheck shell=bash
# Which file says what to install, and a fingerprint of everything that file says.

# Heroku's order: a requirements.txt that an earlier buildpack exported must win over a project file.
readonly MANIFESTS=(Pipfile.lock requirements.txt uv.lock pyproject.toml Pipfile setup.py)

MANIFEST=""
MANIFEST_FILES=()      # every file whose content decides what gets installed
HAS_LOCAL_SOURCES=""   # a dependency is a directory of the app that gets copied, not linked
LINKED_SOURCES=""      # set to the build directory when packages are linked to their source in it

choose_manifest() {
  local name others=()
  for name in "${MANIFESTS[@]}"; do
    [[ -f "$name" ]] || continue
    if [[ -z "$MANIFEST" ]]; then MANIFEST="$name"; else others+=("$name"); fi
  done
  [[ -n "$MANIFEST" ]] || fail "There is no file that names the app's dependencies any more (a bin/pre_compile hook removed it?)." \
    "Keep a requirements.txt, even an empty one, in the app's root directory."
  if [[ "$MANIFEST" == requirements.txt && -f uv.lock ]] || [[ "$MANIFEST" == Pipfile.lock && ${#others[@]} -gt 0 && "${others[0]}" != Pipfile ]]; then
    warn "Several files name dependencies; $MANIFEST is used and these are not: ${others[*]}." \
      "Delete the ones that are out of date."
  fi
  if [[ "$MANIFEST" == pyproject.toml && -f poetry.lock ]]; then
    warn "poetry.lock is not read: versions are chosen anew from pyproject.toml." \
      "To keep them, commit the output of 'poetry export --output requirements.txt'."
  fi
  list_manifest_files
}

list_manifest_files() {
  case "$MANIFEST" in
    requirements.txt) add_requirements requirements.txt ;;
    Pipfile.lock | Pipfile) add_file "$MANIFEST"; find_local_sources "$MANIFEST" '"path":|"file": *"[./]|path *= *"' ;;
    uv.lock) add_uv_lock ;;
    pyproject.toml | setup.py) add_project . ;;
  esac
}

add_file() { [[ ! -f "$1" ]] || MANIFEST_FILES+=("$1"); }

add_project() {
  local name
  LINKED_SOURCES="$BUILD_DIR"
  for name in pyproject.toml setup.py setup.cfg; do
    add_file "${1#./}/$name"
  done
  if [[ "$1" == . ]]; then MANIFEST_FILES=("${MANIFEST_FILES[@]#./}"); fi
  add_file uv.toml
}

find_local_sources() {
  if grep -qE "$2" "$1"; then HAS_LOCAL_SOURCES=1; fi
}

# add_requirements FILE: the file and, in turn, each file it includes with -r or -c.
add_requirements() {
  local file="$1" line include known
  for known in "${MANIFEST_FILES[@]}"; do
    [[ "$known" != "$file" ]] || return 0
  done
  [[ -f "$file" ]] || return 0
  MANIFEST_FILES+=("$file")
  while IFS= read -r line || [[ -n "$line" ]]; do
    if [[ "$line" =~ ^[[:space:]]*(-r|-c|--requirement|--constraint)[[:space:]=]*([^[:space:]]+) ]]; then
      include="${BASH_REMATCH[2]}"
      [[ "$file" != */* || "$include" == /* ]] || include="${file%/*}/$include"
      add_requirements "$include"
    elif [[ "$line" =~ ^[[:space:]]*(-e|--editable)[[:space:]=]*([^[:space:]]+) && -d "${BASH_REMATCH[2]%%\[*}" ]]; then
      add_project "${BASH_REMATCH[2]%%\[*}"
    elif [[ "$line" =~ ^[[:space:]]*(\.|/|file:)|@[[:space:]]*(file:|\.) ]]; then
      HAS_LOCAL_SOURCES=1
    fi
  done <"$file"
}

# Workspace members are linked into place, so only what their project files say matters.
add_uv_lock() {
  local line
  add_file uv.lock
  add_project .
  while IFS= read -r line; do
    if [[ "$line" =~ editable\ =\ \"([^\"]+)\" && "${BASH_REMATCH[1]}" != . ]]; then
      add_project "${BASH_REMATCH[1]}"
    elif [[ "$line" =~ ^source.*directory\ =\ \" ]]; then
      HAS_LOCAL_SOURCES=1
    fi
  done <uv.lock
}

# True when the manifest asks for nothing at all, so that no installer has to start.
manifest_is_empty() {
  local file line
  [[ "$MANIFEST" == requirements.txt ]] || return 1
  for file in "${MANIFEST_FILES[@]}"; do
    while IFS= read -r line || [[ -n "$line" ]]; do
      [[ "$line" =~ ^[[:space:]]*(#.*)?$ ]] || return 1
    done <"$file"
  done
}

# dependency_key: gives DEPENDENCY_KEY, the same for the same packages from the same interpreter.
dependency_key() {
  local sum
  sum="$({
    printf '%s\n' "layout 1" "${STACK:-}" "$HOSTTYPE" "$PYTHON_EXECUTABLE" "$PYTHON_VERSION" "$MANIFEST" "$LINKED_SOURCES" "$INSTALL_CONFIGURATION"
    for file in "${MANIFEST_FILES[@]}"; do
      printf '%s\n' "$file"
      cat -- "$file"
    done
  } | sha256sum)"
  DEPENDENCY_KEY="${sum%% *}"
}
