# shellcheck shell=bash
# What a dyno, and a later buildpack of the same build, need to find this Python.

write_launch_files() {
  cp "$BUILDPACK_DIR/lib/profile.sh" "$BUILD_DIR/.profile.d/python.sh"
  # A buildpack directory may be read-only when nothing follows it; then nobody needs the file.
  if [[ -w "$BUILDPACK_DIR" ]]; then
    {
      printf 'export PATH=%q:"$PATH"\n' "$PYTHON_HOME/bin"
      printf 'export PYTHONUNBUFFERED=1\n'
      printf 'export LANG="${LANG:-C.UTF-8}"\n'
    } >"$BUILDPACK_DIR/export"
  fi
}
