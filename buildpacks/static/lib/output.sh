# shellcheck shell=bash
# What the person who pushed reads, in Heroku's form.

step() { printf -- '-----> %s\n' "$*"; }

detail() { printf '       %s\n' "$*"; }

# fail LINE...: the cause first, then the next step; ends the build.
fail() {
  printf ' !\n'
  printf ' !     %s\n' "$@"
  printf ' !\n'
  exit 1
}

warn() { printf ' !     %s\n' "$@"; }

# Reads a program's output and shows it as detail lines, as it comes.
indent() {
  local line
  while IFS= read -r line || [[ -n "$line" ]]; do
    printf '       %s\n' "$line"
  done
}
