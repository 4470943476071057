# Build output in the form Heroku users know. The same file is in every built-in buildpack,
# because each must work when its folder is copied away alone.

step() { printf -- '-----> %s\n' "$*"; }

detail() { printf '       %s\n' "$*"; }

indent() { sed -u 's/^/       /'; }

warn() { printf ' !     %s\n' "$@"; }

# Ends the build. Each argument is one line: what failed, why, what to do next.
fail() {
  printf ' !\n' >&2
  printf ' !     %s\n' "$@" >&2
  printf ' !\n' >&2
  exit 1
}
