# shellcheck shell=bash
# Puts the manifest's packages into .heroku/python, a virtual environment that can be moved.

install_dependencies() {
  if manifest_is_empty; then
    create_environment
    step "No dependencies to install ($MANIFEST names none)"
  else
    dependency_key
    if [[ -z "$HAS_LOCAL_SOURCES" ]] && restore_dependencies; then
      step "Using cached dependencies ($MANIFEST is unchanged)"
    else
      create_environment
      step "Installing dependencies from $MANIFEST with uv"
      run_installer
      store_dependencies
    fi
  fi
  use_environment
}

create_environment() {
  uv venv --quiet --no-project --relocatable --python "$PYTHON_EXECUTABLE" "$PYTHON_HOME" 2>&1 | indent ||
    fail "A virtual environment could not be made with $PYTHON_EXECUTABLE." "The lines above say why."
  [[ "$PYTHON_EXECUTABLE" == "$INTERPRETER_HOME"/* ]] || return 0
  ln -sfn "../../${PYTHON_EXECUTABLE#"$BUILD_DIR/.heroku/"}" "$PYTHON_HOME/bin/python"
}

run_installer() {
  local python="$PYTHON_HOME/bin/python" requirements="$CACHE_DIR/requirements.txt"
  touch_local_sources
  case "$MANIFEST" in
    requirements.txt) install_packages --requirement requirements.txt ;;
    uv.lock)
      UV_PROJECT_ENVIRONMENT="$PYTHON_HOME" VIRTUAL_ENV="" \
        run_uv sync --frozen --no-default-groups --compile-bytecode --python "$python"
      ;;
    Pipfile | Pipfile.lock)
      python3 -I "$BUILDPACK_DIR/lib/pipfile_requirements.py" "$MANIFEST" >"$requirements" 2>"$requirements.errors" ||
        fail "$MANIFEST could not be read: $(<"$requirements.errors")" "Run 'pipenv lock' again and commit the result."
      install_packages --requirement "$requirements"
      ;;
    pyproject.toml)
      if [[ -f setup.py ]] || grep -q '^\[build-system\]' pyproject.toml; then
        install_packages --editable .
      else
        install_packages --requirement pyproject.toml
      fi
      ;;
    setup.py) install_packages --editable . ;;
  esac
}

install_packages() { run_uv pip install --compile-bytecode --python "$PYTHON_HOME/bin/python" "$@"; }

run_uv() {
  uv "$@" 2>&1 | indent ||
    fail "The dependencies in $MANIFEST could not be installed with Python $PYTHON_VERSION; the lines above say which one and why." \
      "Check its name and version (and the index in UV_DEFAULT_INDEX or PIP_INDEX_URL, if set), then push again."
}

# uv keeps what it built from a directory until a project file there changes; a checkout can bring new code with old times.
touch_local_sources() {
  [[ -n "$HAS_LOCAL_SOURCES" ]] || return 0
  find . -path ./.heroku -prune -o \( -name pyproject.toml -o -name setup.py \) -type f -exec touch {} +
}

# From here on the build, its hooks and later buildpacks see the app's own python, and a pip that is uv.
use_environment() {
  export PATH="$PYTHON_HOME/bin:$BUILDPACK_DIR/lib/commands:$PATH"
  export VIRTUAL_ENV="$PYTHON_HOME"
  export PYTHONUNBUFFERED=1
  export LANG="${LANG:-C.UTF-8}"
  export PYTHONPATH="${PYTHONPATH:-$BUILD_DIR}"
}

# A build directory that is not /app: make the few absolute paths in the environment point to where the app will live.
relocate() {
  [[ "$BUILD_DIR" != /app ]] || return 0
  [[ -n "$LINKED_SOURCES" || -d "$INTERPRETER_HOME" ]] || return 0
  local file
  for file in "$PYTHON_HOME/pyvenv.cfg" "$PYTHON_HOME"/lib/python*/site-packages/{*.pth,__editable__*.py,*.dist-info/direct_url.json}; do
    [[ ! -f "$file" ]] || sed -i "s|$BUILD_DIR|/app|g" "$file"
  done
}
