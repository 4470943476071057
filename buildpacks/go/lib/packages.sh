# Which packages become programs in bin/, and building them.

# GO_INSTALL_PACKAGE_SPEC, then `// +heroku install` in go.mod, then every main package.
install_specs() {
  local declared
  declared=$(sed -nE 's|^// \+heroku install (.*)|\1|p' go.mod | head -n 1)
  if [ -n "${GO_INSTALL_PACKAGE_SPEC:-$declared}" ]; then
    printf '%s' "${GO_INSTALL_PACKAGE_SPEC:-$declared}"
  else
    printf './...'
  fi
}

describe_modules() {
  local key
  key=$({ cat go.mod go.sum 2>/dev/null; printf '%s' "$GO_VERSION"; } | sha256sum | cut -d' ' -f1)
  if [ -f vendor/modules.txt ]; then
    detail "Using the modules in vendor/"
  elif ! grep -qE '^(require|\s+\S+ v[0-9])' go.mod; then
    detail "The app needs no modules"
  elif [ "$(cat "$CACHE_DIR/go/modules.key" 2>/dev/null)" = "$key" ]; then
    detail "go.mod and go.sum unchanged since the last build: nothing to download"
  else
    download_modules "$key"
  fi
}

download_modules() { # KEY
  rm -f "$CACHE_DIR/go/modules.key"
  # The cache only ever grows: start again when it holds far more than an app needs.
  [ "$(du -sm "$GOMODCACHE" 2>/dev/null | cut -f1 || echo 0)" -lt 2048 ] 2>/dev/null || go clean -modcache
  detail "Downloading modules"
  go mod download </dev/null 2>&1 | tee "$SCRATCH/go.log" | indent || explain_go_failure
  printf '%s' "$1" > "$CACHE_DIR/go/modules.key"
}

# Sets MAINS: import paths of the main packages among the specs, one a line.
find_mains() {
  local specs
  specs=$(install_specs)
  # Split on purpose: a spec is a list of patterns.
  # shellcheck disable=SC2086
  go list -tags heroku -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' $specs >"$SCRATCH/mains" 2>"$SCRATCH/go.log" </dev/null \
    || { indent < "$SCRATCH/go.log"; explain_go_failure; }
  MAINS=$(grep . "$SCRATCH/mains" || true)
  [ -n "$MAINS" ] || fail "There is no \`package main\` in $specs: nothing to run." \
    "Add one, or name it in go.mod: // +heroku install ./cmd/web"
}

install_mains() {
  local flags=()
  if [ -n "${GO_LINKER_SYMBOL:-}" ] && [ -n "${GO_LINKER_VALUE:-}" ]; then
    flags=(-ldflags "-X $GO_LINKER_SYMBOL=$GO_LINKER_VALUE")
  fi
  # -trimpath: the same cache entry whatever directory the build happens in.
  # shellcheck disable=SC2086
  go install -v -tags heroku -trimpath -buildvcs=false "${flags[@]}" $MAINS </dev/null 2>&1 \
    | tee "$SCRATCH/go.log" | indent || explain_go_failure
  [ -s "$SCRATCH/go.log" ] || detail "Nothing changed: linked from the build cache"
}

# The program a web dyno runs: the module's own, else the one called web or server, else the only one.
web_program() {
  local names module name
  # shellcheck disable=SC2086
  names=$(go list -tags heroku -f '{{.Target}}' $MAINS | sed 's|.*/||')
  module=$(sed -nE 's/^module "?([^" ]+)"?.*/\1/p' go.mod | sed -E 's|/v[0-9]+$||; s|.*/||')
  for name in "$module" web server; do
    if grep -qxF -- "$name" <<< "$names"; then echo "$name"; return; fi
  done
  [ "$(wc -l <<< "$names")" -ne 1 ] || echo "$names"
}

explain_go_failure() {
  local log="$SCRATCH/go.log"
  if grep -qE 'no such host|dial tcp|i/o timeout|connection refused|network is unreachable' "$log"; then
    fail "A module could not be downloaded: $(module_proxy) cannot be reached (see above)." \
      "Put the modules in git (\`go mod vendor\`, commit vendor/), or name a proxy this machine can reach:" \
      "senryu config:set GOPROXY=https://…"
  elif grep -qE 'missing go.sum entry|updates to go.mod needed|inconsistent vendoring|checksum mismatch' "$log"; then
    fail "go.mod, go.sum and vendor/ do not fit together (see above)." \
      "Run \`go mod tidy\` (and \`go mod vendor\`), commit the result and push again."
  elif grep -qE 'note: module requires Go' "$log"; then
    fail "The code needs a newer Go than $GO_VERSION (see above)." "Raise or lower the \`go\` line of go.mod."
  fi
  fail "The Go build failed (see above)." "Run \`go build ./...\` on your machine, correct what fails and push again."
}
