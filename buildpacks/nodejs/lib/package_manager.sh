# Which of npm, yarn and pnpm an app uses, and where that program comes from.

# Sets MANAGER (npm yarn pnpm), BERRY (yes no) and LOCK_FILE (may be empty).
choose_manager() {
  local file declared found=()
  for file in package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml; do
    [ -f "$file" ] && found+=("$file")
  done
  [ "${found[*]:-}" = "package-lock.json npm-shrinkwrap.json" ] && found=(npm-shrinkwrap.json)
  [ "${#found[@]}" -le 1 ] || fail "The app has more than one lock file: ${found[*]}." \
    "Keep the one your team installs with and delete the others: git rm FILE"
  LOCK_FILE=${found[0]:-}
  declared=$(package_json get packageManager)
  case $LOCK_FILE in
    yarn.lock) MANAGER=yarn ;;
    pnpm-lock.yaml) MANAGER=pnpm ;;
    '') MANAGER=${declared%%@*} ;;
    *) MANAGER=npm ;;
  esac
  [[ $MANAGER =~ ^(npm|yarn|pnpm)$ ]] || MANAGER=npm
  BERRY=no
  if [ "$MANAGER" = yarn ] && { grep -qs '^__metadata:' yarn.lock || [[ $declared =~ ^yarn@[2-9] ]]; }; then
    BERRY=yes
  fi
}

# The version range asked for: packageManager, then engines, then what the lock file was written by.
wanted_version() {
  local declared range
  declared=$(package_json get packageManager)
  if [[ $declared == "$MANAGER"@* ]]; then
    declared=${declared#*@}
    printf '%s' "${declared%%+*}"
    return
  fi
  range=$(package_json get "engines.$MANAGER")
  printf '%s' "${range:-$(range_of_lock_file)}"
}

range_of_lock_file() {
  case $MANAGER/$BERRY in
    yarn/no) echo 1.x ;;
    yarn/yes) grep -A2 '^__metadata:' yarn.lock 2>/dev/null | grep -qE 'version: [4-7]$' && echo 3.x || echo 4.x ;;
    pnpm/*) case $(sed -n "s/^lockfileVersion: *['\"]\{0,1\}\([0-9]*\).*/\1/p" pnpm-lock.yaml 2>/dev/null | head -n 1) in
        5) echo 7.x ;;
        6) echo 8.x ;;
        *) echo 10.x ;;
      esac ;;
  esac
}

install_manager() {
  [ "$MANAGER" != npm ] || { MANAGER_VERSION=$NPM_VERSION; return 0; }
  # Only then: npm complains of settings it does not know.
  [ "$MANAGER" != pnpm ] || export npm_config_store_dir="$CACHE_DIR/nodejs/pnpm"
  local wanted package=$MANAGER committed
  committed=$(sed -n 's/^yarnPath: *//p' .yarnrc.yml 2>/dev/null | tr -d "\"'" || true)
  if [ "$BERRY" = yes ] && [ -n "$committed" ] && [ -f "$committed" ]; then
    use_committed_yarn "$committed"
    return
  fi
  wanted=$(wanted_version)
  MANAGER_VERSION=$(stack_version "$MANAGER")
  if [ -n "$MANAGER_VERSION" ] && registry satisfies "$MANAGER_VERSION" "$wanted"; then
    detail "Using the stack's $MANAGER $MANAGER_VERSION"
    return
  fi
  [ "$BERRY" = no ] || package=@yarnpkg/cli-dist
  fetch_manager "$package" "$wanted"
}

use_committed_yarn() { # FILE
  mkdir -p .heroku/node/bin
  printf '#!/bin/sh\nexec node "$(dirname "$0")/../../../%s" "$@"\n' "$1" > .heroku/node/bin/yarn
  chmod +x .heroku/node/bin/yarn
  MANAGER_VERSION=$(yarn --version)
  detail "Using yarn $MANAGER_VERSION from $1"
}

fetch_manager() { # PACKAGE RANGE
  local folder="$CACHE_DIR/nodejs/tools/${1//\//_}@${2//[^A-Za-z0-9.^~-]/_}" userconfig=()
  if [ ! -d "$folder" ]; then
    [ ! -f .npmrc ] || userconfig=(--userconfig "$BUILD_DIR/.npmrc")
    rm -rf "$CACHE_DIR/nodejs/tools"
    mkdir -p "$CACHE_DIR/nodejs/tools"
    npm install --global --prefix "$folder.new" "${userconfig[@]}" "$1@$2" >"$SCRATCH/tool.log" 2>&1 </dev/null || {
      indent < "$SCRATCH/tool.log"
      fail "$MANAGER \`$2\` could not be fetched from the npm registry (see above)." \
        "Check \"packageManager\" and \"engines\" in package.json: npm view $1 versions"
    }
    mv "$folder.new" "$folder"
  fi
  mkdir -p .heroku/node
  cp -a "$folder/." .heroku/node/
  hash -r
  MANAGER_VERSION=$(cd / && "$MANAGER" --version)
  detail "Using $MANAGER $MANAGER_VERSION from the npm registry"
}
