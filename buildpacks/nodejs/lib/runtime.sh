# Node.js and npm: the stack's when they fit package.json, otherwise the npm registry's.

readonly DEFAULT_NODE=24.x

registry() { python3 -B -E -s "$BP_DIR/lib/registry.py" "$@"; }

package_json() { python3 -B -E -s "$BP_DIR/lib/package_json.py" "$@"; }

# The version a program on PATH reports, empty when there is none. Asked from / so that a
# corepack shim cannot go and fetch what the app's package.json names.
stack_version() { # PROGRAM
  local said
  said=$(cd / && COREPACK_ENABLE_NETWORK=0 timeout 20 "$1" --version 2>/dev/null </dev/null | head -n 1) || said=''
  [[ $said =~ ^v?([0-9]+\.[0-9]+\.[0-9]+)$ ]] && printf '%s' "${BASH_REMATCH[1]}"
  return 0
}

install_node() {
  local wanted
  wanted=$(package_json get engines.node)
  detail "engines.node (package.json): ${wanted:-unspecified}"
  NODE_VERSION=$(stack_version node)
  if [ -n "$NODE_VERSION" ] && registry satisfies "$NODE_VERSION" "${wanted:-*}"; then
    detail "Using the stack's Node.js $NODE_VERSION"
  else
    fetch_node "${wanted:-$DEFAULT_NODE}"
  fi
}

fetch_node() { # RANGE
  local machine found folder
  case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) fail "Node.js for $(uname -m) is not in the npm registry." "Install Node.js $1 on the stack." ;;
  esac
  found=$(registry install "node-linux-$machine" "$1" "$CACHE_DIR/nodejs/runtime" 2>"$SCRATCH/node.err") \
    || fail "Node.js \`$1\` could not be fetched: $(<"$SCRATCH/node.err")." \
      "The stack has ${NODE_VERSION:-no Node.js}. Name a version that exists in package.json, such as" \
      '  "engines": { "node": "22.x" }'
  NODE_VERSION=${found%% *}
  folder=${found#* }
  detail "Using Node.js $NODE_VERSION from the npm registry"
  mkdir -p .heroku/node/bin
  cp -a "$folder/bin/node" .heroku/node/bin/node
  export npm_package_config_node_gyp_nodedir="$folder"
  NODE_FETCHED=yes
}

install_npm() {
  local wanted
  wanted=$(package_json get engines.npm)
  NPM_VERSION=$(stack_version npm)
  if [ "$NODE_FETCHED" = no ] && [ -n "$NPM_VERSION" ] && registry satisfies "$NPM_VERSION" "${wanted:-*}"; then
    detail "Using the stack's npm $NPM_VERSION"
  else
    fetch_npm "${wanted:-*}"
  fi
}

fetch_npm() { # RANGE
  local found folder
  found=$(registry install npm "$1" "$CACHE_DIR/nodejs/runtime" "$NODE_VERSION" 2>"$SCRATCH/npm.err") \
    || fail "npm \`$1\` for Node.js $NODE_VERSION could not be fetched: $(<"$SCRATCH/npm.err")." \
      "Correct engines.npm in package.json, or remove it to take the newest npm that fits."
  NPM_VERSION=${found%% *}
  folder=${found#* }
  detail "Using npm $NPM_VERSION from the npm registry"
  mkdir -p .heroku/node/bin .heroku/node/lib/node_modules
  cp -a "$folder" .heroku/node/lib/node_modules/npm
  chmod +x .heroku/node/lib/node_modules/npm/bin/{npm,npx}-cli.js
  # Relative links: the app is built in one directory and may run in another.
  ln -s ../lib/node_modules/npm/bin/npm-cli.js .heroku/node/bin/npm
  ln -s ../lib/node_modules/npm/bin/npx-cli.js .heroku/node/bin/npx
}
