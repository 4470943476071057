# shellcheck shell=bash
# The Python that runs the app: the stack's own when it satisfies what the app asks for, else one that uv fetches.
# https://devcenter.heroku.com/articles/python-runtimes

PYTHON_EXECUTABLE=""
PYTHON_VERSION=""
REQUESTED_VERSION=""
REQUESTED_IN=""
readonly VERSION_REQUEST='^[0-9<>=!~][0-9a-z.,* <>=!~]*$'
readonly LOWER_BOUND='^>= ?3\.([0-9]+)$'

choose_interpreter() {
  read_requested_version
  local stack_python
  if stack_python="$(command -v python3)" && read_python_version "$stack_python" && satisfies_request; then
    PYTHON_EXECUTABLE="$stack_python"
  elif [[ -n "$REQUESTED_VERSION" ]] && stack_python="$(find_on_stack)"; then
    PYTHON_EXECUTABLE="$stack_python"
    read_python_version "$PYTHON_EXECUTABLE"
  else
    fetch_interpreter
    step "Using Python $PYTHON_VERSION, as ${REQUESTED_IN:-the app} asks"
    return
  fi
  if [[ -n "$REQUESTED_IN" ]]; then
    step "Using the stack's Python $PYTHON_VERSION, which $REQUESTED_IN accepts ($REQUESTED_VERSION)"
  else
    step "Using the stack's Python $PYTHON_VERSION"
    detail "To choose another, add a .python-version file with, for example, ${PYTHON_VERSION%.*}."
  fi
}

# Sets REQUESTED_VERSION ("3.12", "3.12.5", ">=3.11") and the file that says so, or leaves both empty.
read_requested_version() {
  local line
  if [[ -f runtime.txt ]]; then
    IFS=$' \t\r' read -r line <runtime.txt || true
    request runtime.txt "${line#python-}"
  elif [[ -f .python-version ]]; then
    while IFS=$' \t\r' read -r line || [[ -n "$line" ]]; do
      [[ -z "$line" || "$line" == \#* ]] || { request .python-version "${line#python-}"; return 0; }
    done <.python-version
  elif [[ "$MANIFEST" == uv.lock || "$MANIFEST" == pyproject.toml ]]; then
    request_from_project "$MANIFEST" '^requires-python *= *["'\'']([^"'\'']+)["'\'']'
  elif [[ "$MANIFEST" == Pipfile ]]; then
    request_from_project Pipfile '^python_(full_)?version *= *["'\'']([^"'\'']+)["'\'']'
  elif [[ "$MANIFEST" == Pipfile.lock ]]; then
    request_from_project Pipfile.lock '"python_(full_)?version": *"([^"]+)"'
  fi
}

# request FILE VERSION: refuses what is not a version, so that nothing strange reaches a command line or an address.
request() {
  [[ "$2" =~ $VERSION_REQUEST ]] ||
    fail "$1 does not name a Python version: ${2:-it is empty}." \
      "Write a version such as 3.12 or 3.12.5 in it (runtime.txt: python-3.12.5), then push again."
  REQUESTED_IN="$1"
  REQUESTED_VERSION="$2"
}

request_from_project() {
  local line
  while IFS= read -r line; do
    # The version is the expression's last group.
    if [[ "$line" =~ $2 ]]; then request "$1" "${BASH_REMATCH[-1]}"; return 0; fi
  done <"$1"
}

read_python_version() {
  local answer
  answer="$("$1" -V 2>&1)" || return 1
  PYTHON_VERSION="${answer#Python }"
}

# Answers the common requests without starting a program: none, a whole version, the beginning of one, a lower bound.
satisfies_request() {
  local minor="${PYTHON_VERSION#*.}"
  minor="${minor%%.*}"
  case "$REQUESTED_VERSION" in
    "" | "$PYTHON_VERSION") return 0 ;;
    *[!0-9.]*) [[ "$REQUESTED_VERSION" =~ $LOWER_BOUND && "$PYTHON_VERSION" == 3.* && "${BASH_REMATCH[1]}" -le "$minor" ]] ;;
    *) [[ "$PYTHON_VERSION" == "$REQUESTED_VERSION".* ]] ;;
  esac
}

find_on_stack() {
  uv python find --no-project --system --no-managed-python --no-python-downloads "$REQUESTED_VERSION" 2>/dev/null
}

# Fetches into the cache, then puts a copy into the slug: the stack it runs on does not have this version.
fetch_interpreter() {
  local found folder name log="$CACHE_DIR/fetch.log" wanted="${REQUESTED_VERSION:-3.13}"
  if ! found="$(find_fetched "$wanted" 2>/dev/null)"; then
    step "Fetching Python $wanted"
    if ! uv python install --no-bin "$wanted" >"$log" 2>&1 || ! found="$(find_fetched "$wanted" 2>"$log")"; then
      indent <"$log"
      fail "Python $wanted (asked for in ${REQUESTED_IN:-no file; the stack has no Python}) could not be fetched. This stack has $(stack_versions)." \
        "Ask for one of those in .python-version, or let the platform reach a mirror of Python builds (config var UV_PYTHON_INSTALL_MIRROR)."
    fi
  fi
  # uv names a minor version by a link to the newest patch: the slug gets the directory itself.
  folder="$(cd "${found%/bin/*}" && pwd -P)"
  name="${folder##*/}"
  mkdir -p "$INTERPRETER_HOME"
  "${COPY_TREE[@]}" "$folder" "$INTERPRETER_HOME/$name"
  PYTHON_EXECUTABLE="$INTERPRETER_HOME/$name/bin/${found##*/}"
  read_python_version "$PYTHON_EXECUTABLE"
}

find_fetched() {
  uv python find --no-project --managed-python --no-python-downloads "$1"
}

stack_versions() {
  local name versions=""
  while read -r name _; do
    name="${name#*-}"
    name="${name%%-*}"
    [[ ", $versions, " == *", $name, "* ]] || versions+="${versions:+, }$name"
  done < <(uv python list --only-installed --no-managed-python 2>/dev/null)
  printf 'Python %s' "${versions:-none}"
}
