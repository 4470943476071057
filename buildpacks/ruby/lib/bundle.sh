# Gems: restored from the app's layer, out of vendor/cache, from RubyGems, or the distribution's own.
# Sets GEMS (layer vendored rubygems local).

readonly REACH_TIMEOUT_S=3

require_ruby() {
  command -v ruby >/dev/null && command -v bundle >/dev/null \
    || fail "The stack has no Ruby with Bundler." "On this machine: apt-get install ruby ruby-bundler. Then push again."
  RUBY_VERSION=$(ruby -e 'print RUBY_VERSION')
  BUNDLER_VERSION=$(bundle --version 2>/dev/null | sed 's/[^0-9]*//')
  # Pinned, or Bundler goes looking for the version that wrote Gemfile.lock.
  export BUNDLER_VERSION
  detail "Using the stack's Ruby $RUBY_VERSION and Bundler $BUNDLER_VERSION"
}

gem_source() {
  local named
  named=$(sed -nE "s/^ *source[ (]*['\"](https?:[^'\"]+)['\"].*/\1/p" Gemfile | head -n 1)
  printf '%s' "${named:-https://rubygems.org}"
}

is_reachable() { # URL
  curl --silent --output /dev/null --head --max-time "$REACH_TIMEOUT_S" "$1"
}

layer_key() {
  { cat Gemfile Gemfile.lock 2>/dev/null; printf '%s\0' "$RUBY_VERSION" "$BUNDLE_WITHOUT" "$(uname -m)"; } | sha256sum | cut -d' ' -f1
}

install_gems() {
  local key source
  key=$(layer_key)
  source=$(gem_source)
  if [ -f Gemfile.lock ] && [ -f "$LAYER.tar" ] && [ "$(cat "$LAYER.key" 2>/dev/null)" = "$key" ]; then
    GEMS=layer
    restore_gems
  elif compgen -G 'vendor/cache/*.gem' >/dev/null; then
    GEMS=vendored
    install_into_slug "$key" "vendor/cache is in git: installing from it" --local
  elif is_reachable "$source"; then
    GEMS=rubygems
    install_into_slug "$key" "$source can be reached: installing from it"
  else
    GEMS=local
    use_distribution_gems "$source"
  fi
}

restore_gems() {
  step "Restoring gems"
  detail "Gemfile.lock unchanged since the last build: nothing to install"
  rm -rf vendor/bundle
  tar -xf "$LAYER.tar"
  export BUNDLE_PATH=vendor/bundle BUNDLE_DEPLOYMENT=true
}

install_into_slug() { # KEY WHY [FLAG...]
  local key=$1 why=$2
  shift 2
  step "Installing gems"
  detail "$why"
  export BUNDLE_PATH=vendor/bundle
  rm -rf vendor/bundle
  # Gems of the last build save most of the work when only some have changed.
  [ ! -f "$LAYER.tar" ] || tar -xf "$LAYER.tar"
  if [ -f Gemfile.lock ]; then
    export BUNDLE_DEPLOYMENT=true
  else
    warn "There is no Gemfile.lock: every build may get other versions." "Run \`bundle install\` and commit the file it writes."
  fi
  if ! bundle install --jobs 4 --retry 3 "$@" </dev/null 2>&1 | tee "$SCRATCH/bundle.log" | indent; then
    ! take_distribution_gems || return 0
    explain_bundle_failure
  fi
  bundle clean --force </dev/null 2>&1 | indent || true
  rm -f "$LAYER.key"
  mkdir -p vendor/bundle
  tar -cf "$LAYER.tar.new" vendor/bundle
  mv "$LAYER.tar.new" "$LAYER.tar"
  printf '%s' "$key" > "$LAYER.key"
}

# What cannot be installed (a native extension, where there is no compiler) may be on the machine already.
take_distribution_gems() {
  [ "$GEMS" = rubygems ] && [ -f Gemfile.lock ] || return 1
  (unset BUNDLE_PATH BUNDLE_DEPLOYMENT; bundle check </dev/null >/dev/null 2>&1) || return 1
  GEMS=local
  unset BUNDLE_PATH BUNDLE_DEPLOYMENT
  rm -rf vendor/bundle
  warn "Some gems could not be installed, but this machine has all that Gemfile.lock names: taking those."
}

# No BUNDLE_PATH here: with one, Bundler no longer sees the gems Debian installed.
use_distribution_gems() { # SOURCE
  step "Using the distribution's gems"
  detail "$1 cannot be reached: taking the gems installed on this machine (bundle --local)"
  if [ ! -f Gemfile.lock ]; then
    bundle lock --local </dev/null >"$SCRATCH/bundle.log" 2>&1 || { indent < "$SCRATCH/bundle.log"; explain_bundle_failure; }
    detail "There is no Gemfile.lock: it was written for the gems of this machine"
  fi
  if ! bundle check </dev/null >"$SCRATCH/bundle.log" 2>&1; then
    ! take_patch_releases || return 0
    indent < "$SCRATCH/bundle.log"
    explain_bundle_failure
  fi
  detail "They satisfy Gemfile.lock: nothing to install"
}

# A distribution's security updates move the last number of a version. Then, and only then, the machine's
# own is taken instead of the locked one, or each of them would stop every deploy.
take_patch_releases() {
  local name version here notes=()
  cp Gemfile.lock "$SCRATCH/Gemfile.lock"
  if bundle lock --local --update </dev/null >/dev/null 2>&1 && bundle check </dev/null >/dev/null 2>&1; then
    while read -r name version; do
      here=$(sed -nE "s/^    $name \(([0-9.]+)\)$/\1/p" Gemfile.lock)
      [ "$(cut -d. -f1,2 <<< "$here")" = "$(cut -d. -f1,2 <<< "$version")" ] || { notes=(); break; }
      notes+=("  $name $here for $version")
    done < <(missing_gems)
  fi
  if [ "${#notes[@]}" -eq 0 ]; then
    cp "$SCRATCH/Gemfile.lock" Gemfile.lock
    return 1
  fi
  warn "Gemfile.lock names other patch releases than this machine has; taking the machine's:" "${notes[@]}"
}

explain_bundle_failure() {
  local log="$SCRATCH/bundle.log" wanted
  wanted=$(sed -nE 's/.*Your Ruby version is .*, but your Gemfile specified (.*)/\1/p' "$log" | head -n 1)
  if [ -n "$wanted" ]; then
    fail "The Gemfile asks for Ruby $wanted; this stack has Ruby $RUBY_VERSION." \
      "Change the \`ruby\` line of the Gemfile, or import a stack that has it: senryud stacks:import"
  elif grep -q 'Your bundle only supports platforms' "$log"; then
    fail "Gemfile.lock was made for another platform." "Run \`bundle lock --add-platform $(uname -m)-linux\`, commit and push again."
  elif [ "$GEMS" = local ]; then
    explain_missing_gems
  elif grep -q 'Gem::Ext::BuildError' "$log"; then
    fail "A gem's native extension could not be compiled (see above)." \
      "On this machine: apt-get install build-essential ruby-dev and the library it names. Then push again."
  elif grep -qE 'frozen|deployment mode' "$log"; then
    fail "Gemfile.lock does not fit the Gemfile." "Run \`bundle install\` on your machine, commit Gemfile.lock and push again."
  fi
  fail "Bundler could not install the gems (see above)." "Run \`bundle install\` on your machine, correct what fails and push again."
}

explain_missing_gems() {
  local name version lines=()
  while read -r name version; do
    lines+=("  $name $version (here: $(versions_here "$name"))")
  done < <(missing_gems)
  fail "The gems on this machine do not satisfy the app, and $(gem_source) cannot be reached:" \
    "${lines[@]}" \
    "Let this machine reach $(gem_source), or put the gems in git with \`bundle cache\`," \
    "or install Debian's packages (apt-get install ruby-NAME) and let Gemfile.lock name their versions."
}

missing_gems() {
  sed -nE -e 's/^ \* (\S+) \((.*)\)$/\1 \2/p' -e "s/^Could not find gem '(\S+)( \((.*)\))?'.*/\1 \3/p" "$SCRATCH/bundle.log" | sort -u
}

versions_here() { # GEM
  ruby -e 'found = Gem::Specification.find_all_by_name(ARGV[0]).map(&:version); print found.empty? ? "not installed" : found.join(", ")' "$1"
}
