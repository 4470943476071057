# shellcheck shell=bash
# The app's own bin/pre_compile and bin/post_compile.
# https://devcenter.heroku.com/articles/python-support#build-hooks

run_hook() {
  [[ -f "bin/$1" ]] || return 0
  step "Running bin/$1"
  [[ -x "bin/$1" ]] || chmod +x "bin/$1"
  "bin/$1" 2>&1 | indent || fail "The app's bin/$1 ended with an error." "The lines above are its output; correct the script, then push again."
}
