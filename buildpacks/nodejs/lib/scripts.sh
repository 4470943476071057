# The scripts of package.json that belong to a build.
# Source: https://devcenter.heroku.com/articles/nodejs-support#customizing-the-build-process

run_script() { # NAME [FLAG...]
  local name=$1
  shift
  package_json has "scripts.$name" || return 0
  detail "Running $name"
  "$MANAGER" run "$name" "$@" </dev/null 2>&1 | indent \
    || fail "The script \`$name\` of package.json failed (see above)." \
      "Run \`$MANAGER run $name\` on your machine, correct what fails and push again."
}

run_prebuild() {
  package_json has scripts.heroku-prebuild || return 0
  step "Prebuild"
  run_script heroku-prebuild
}

run_build() {
  local flags=()
  step "Build"
  if package_json has scripts.heroku-postbuild; then
    run_script heroku-postbuild
  elif package_json has scripts.build; then
    # Split on purpose: the setting is a list of words.
    # shellcheck disable=SC2206
    [ -z "${NODE_BUILD_FLAGS:-}" ] || flags=(-- $NODE_BUILD_FLAGS)
    run_script build "${flags[@]}"
  else
    detail "No build or heroku-postbuild script in package.json"
  fi
}

run_cleanup() {
  package_json has scripts.heroku-cleanup || return 0
  step "Cleanup"
  run_script heroku-cleanup
}
