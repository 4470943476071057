# Config vars reach a buildpack as files, one per name.
# Source: https://devcenter.heroku.com/articles/buildpack-api#bin-compile

# Names that would break the build's own tools rather than configure the app.
readonly KEPT_FROM_BUILD='^(PATH|HOME|PWD|SHELL|IFS|ENV|BASH_ENV|GIT_DIR|CPATH|CPPATH|LD_PRELOAD|LIBRARY_PATH|LD_LIBRARY_PATH|PYTHONPATH|PYTHONHOME)$'

export_config_vars() {
  local dir=${1:-} file name
  [ -n "$dir" ] && [ -d "$dir" ] || return 0
  for file in "$dir"/*; do
    name=${file##*/}
    [ -f "$file" ] || continue
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ! $name =~ $KEPT_FROM_BUILD ]] || continue
    export "$name=$(<"$file")"
  done
}
