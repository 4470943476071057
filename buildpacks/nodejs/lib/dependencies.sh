# Installing, reusing and pruning node_modules.

wants_dev_dependencies() { [ "${NPM_CONFIG_PRODUCTION:-}" != true ] && [ "${YARN_PRODUCTION:-}" != true ]; }

keeps_dev_dependencies() {
  [ "${NPM_CONFIG_PRODUCTION:-}" = false ] || [ "${YARN_PRODUCTION:-}" = false ] || [ "${SKIP_PRUNING:-}" = true ] \
    || [ "${PNPM_SKIP_PRUNING:-}" = true ] || [ "${YARN2_SKIP_PRUNING:-}" = true ] || [ "$NODE_ENV" != production ]
}

install_command() {
  local npm=(--include=dev) pnpm=(--prod=false) yarn=(--production=false)
  wants_dev_dependencies || { npm=(--omit=dev); pnpm=(--prod); yarn=(--production=true); }
  case $MANAGER/$BERRY/${LOCK_FILE:+locked} in
    npm/*/locked) npm ci "${npm[@]}" ;;
    npm/*/) npm install --no-package-lock "${npm[@]}" ;;
    yarn/no/locked) yarn install --frozen-lockfile --ignore-engines --non-interactive "${yarn[@]}" ;;
    yarn/no/) yarn install --no-lockfile --ignore-engines --non-interactive "${yarn[@]}" ;;
    yarn/yes/locked) yarn install --immutable ;;
    yarn/yes/) yarn install --no-immutable ;;
    pnpm/*/locked) pnpm install --frozen-lockfile "${pnpm[@]}" ;;
    pnpm/*/) pnpm install --no-frozen-lockfile "${pnpm[@]}" ;;
  esac
}

# Copies of local folders change without the lock file changing, so no layer is safe for them.
has_copied_folders() { package_json get dependencies | grep -qE '"(file|portal):' && [ "$MANAGER" != npm ]; }

install_dependencies() {
  local key
  key=$(package_json key "$NODE_VERSION" "$MANAGER" "${MANAGER_VERSION%%.*}" "$(uname -m)" \
    "${NPM_CONFIG_PRODUCTION:-}" "${YARN_PRODUCTION:-}" "$NODE_ENV")
  if layer_matches "$key" && ! has_copied_folders; then
    step "Restoring dependencies"
    detail "Dependencies unchanged since the last build: nothing to install"
    restore_layer
    run_root_lifecycle
    return
  fi
  step "Installing dependencies"
  detail "Using $MANAGER ${MANAGER_VERSION} (${LOCK_FILE:-no lock file})"
  [ -n "$LOCK_FILE" ] || warn "There is no lock file: every build may get other versions." \
    "Run \`$MANAGER install\` and commit the file it writes."
  [ ! -d node_modules ] || warn "node_modules is in git: add it to .gitignore and run \`git rm -r --cached node_modules\`."
  install_command </dev/null 2>&1 | tee "$SCRATCH/install.log" | indent || explain_install_failure
  save_layer "$key"
}

# What the package manager runs for the app itself at install time; apps build in `postinstall`.
run_root_lifecycle() {
  local name
  for name in preinstall install postinstall prepare; do
    run_script "$name"
  done
}

explain_install_failure() {
  local log="$SCRATCH/install.log"
  says() { grep -qE "$1" "$log"; }
  if says 'can only install packages when your package.json|ERR_PNPM_OUTDATED_LOCKFILE|lockfile needs to be updated|YN0028'; then
    fail "$LOCK_FILE does not fit package.json." \
      "Run \`$MANAGER install\` on your machine, commit $LOCK_FILE and push again."
  elif says 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|RequestError: getaddrinfo'; then
    fail "The npm registry cannot be reached from this machine (see above)." \
      "Try again, or name a mirror: senryu config:set NPM_CONFIG_REGISTRY=https://…"
  elif says 'E404|ERR_PNPM_FETCH_404|404 Not Found|Response Code: 404'; then
    fail "A package in package.json does not exist in the registry (see above)." \
      "Correct its name or version. A private one needs a token: senryu config:set NPM_TOKEN=…"
  elif says 'gyp ERR!|not found: make|node-gyp'; then
    fail "A native module could not be compiled (see above): it needs a compiler on the stack." \
      "On this machine: apt-get install build-essential python3. Then push again."
  fi
  fail "\`$MANAGER\` could not install the dependencies (see above)." \
    "Delete node_modules on your machine, run \`$MANAGER install\` there, correct what fails and push again."
}

prune_dependencies() {
  package_json has devDependencies || return 0
  wants_dev_dependencies || return 0
  step "Pruning devDependencies"
  if keeps_dev_dependencies; then
    detail "Skipped: NODE_ENV, NPM_CONFIG_PRODUCTION or SKIP_PRUNING asks to keep them"
    return
  fi
  prune_command </dev/null 2>&1 | indent \
    || fail "\`$MANAGER\` could not remove the devDependencies (see above)." \
      "To keep them in the slug: senryu config:set SKIP_PRUNING=true"
}

prune_command() {
  case $MANAGER/$BERRY in
    npm/*) npm prune --omit=dev --ignore-scripts ;;
    yarn/no) yarn install --production --frozen-lockfile --ignore-scripts --ignore-engines --non-interactive --prefer-offline ;;
    yarn/yes) prune_berry ;;
    pnpm/*) pnpm prune --prod --ignore-scripts ;;
  esac
}

prune_berry() {
  # Before yarn 4 `workspaces focus` is a plugin that the app may not have.
  if [ "${MANAGER_VERSION%%.*}" -lt 4 ] && ! grep -qs plugin-workspace-tools .yarnrc.yml; then
    echo "Skipped: add the plugin to prune: yarn plugin import workspace-tools"
    return
  fi
  YARN_ENABLE_SCRIPTS=false yarn workspaces focus --all --production
}
