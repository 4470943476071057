# Composer packages: the app's layer, vendor/ in git, or Packagist.

readonly REACH_TIMEOUT_S=3

composer_json() { # PHP EXPRESSION over $c
  php -r '$c = json_decode(file_get_contents($argv[1] ?? "composer.json"), true); if (!is_array($c)) exit(1); '"$1" -- "${@:2}"
}

needs_packages() {
  composer_json 'foreach ($c["require"] ?? [] as $name => $_) if (str_contains($name, "/")) exit(0); exit(1);'
}

has_script() { composer_json 'exit(isset($c["scripts"][$argv[2]]) ? 0 : 1);' composer.json "$1"; }

layer_key() { { cat composer.json composer.lock 2>/dev/null; printf '%s' "$PHP_VERSION"; } | sha256sum | cut -d' ' -f1; }

install_packages() {
  [ -f composer.json ] || return 0
  local key
  composer_json 'exit(0);' || fail "composer.json is not valid JSON." "Correct it (\`composer validate\`), commit and push again."
  require_extensions
  find_composer
  key=$(layer_key)
  if ! needs_packages; then
    step "Making the autoloader"
    detail "composer.json requires no packages: nothing to install"
    run_composer offline
  elif [ ! -f composer.lock ]; then
    fail "composer.json requires packages but there is no composer.lock." "Run \`composer update\`, commit composer.lock and push again."
  elif [ -f "$LAYER.tar" ] && [ "$(cat "$LAYER.key" 2>/dev/null)" = "$key" ]; then
    step "Restoring packages"
    detail "composer.lock unchanged since the last build: nothing to install"
    rm -rf vendor
    tar -xf "$LAYER.tar"
    run_composer offline
  elif [ -f vendor/composer/installed.json ]; then
    step "Using vendor/ from git"
    run_composer offline
  else
    step "Installing packages"
    require_packagist
    run_composer online
    save_layer "$key"
  fi
}

# Asked of PHP itself: Composer would first go and look for the extension on Packagist.
require_extensions() {
  local missing
  missing=$(composer_json '
    $here = array_map(fn($name) => strtolower(str_replace(" ", "-", $name)), [...get_loaded_extensions(), ...get_loaded_extensions(true)]);
    foreach ($c["require"] ?? [] as $name => $_)
      if (str_starts_with($name, "ext-") && !in_array(strtolower(substr($name, 4)), $here)) echo substr($name, 4), " ";')
  [ -z "$missing" ] || fail_for_extension "${missing%% *}"
}

fail_for_extension() { # NAME
  fail "The app needs the PHP extension \`$1\`, which the stack has not." "On this machine: apt-get install php-$1. Then push again."
}

find_composer() {
  local composer
  composer=$(readlink -e "$(command -v composer || true)" || true)
  [ -n "$composer" ] || fail "The app has a composer.json but the stack has no Composer." "On this machine: apt-get install composer. Then push again."
  # By its path, for a dyno's PATH may not lead to a PHP that its first line finds.
  printf '#!/bin/sh\nexec php %s "$@"\n' "$composer" > .heroku/php/bin/composer
  chmod +x .heroku/php/bin/composer
}

# An app with sources of its own may not need Packagist at all, so Composer is left to find out.
require_packagist() {
  ! composer_json 'exit(isset($c["repositories"]) ? 0 : 1);' || return 0
  curl --silent --output /dev/null --head --max-time "$REACH_TIMEOUT_S" "$PACKAGIST" \
    || fail "The app's packages cannot be installed: $PACKAGIST cannot be reached." \
      "Try again when it can, or put the packages in git: \`composer install --no-dev\`, git add -f vendor, commit and push."
}

run_composer() { # online|offline
  local disabled=0
  [ "$1" = online ] || disabled=1
  COMPOSER_DISABLE_NETWORK=$disabled composer install --no-dev --prefer-dist --optimize-autoloader --no-interaction --no-progress --no-ansi \
    </dev/null 2>&1 | grep -v --line-buffered 'Network disabled' | tee "$SCRATCH/composer.log" | indent || explain_composer_failure
}

run_compile_script() {
  [ -f composer.json ] && has_script compile || return 0
  step "Running the compile script"
  composer run-script --no-dev --no-interaction compile </dev/null 2>&1 | indent \
    || fail "The script \`compile\` of composer.json failed (see above)." "Run \`composer compile\` on your machine, correct what fails and push again."
}

save_layer() { # KEY
  rm -f "$LAYER.key"
  tar -cf "$LAYER.tar.new" vendor
  mv "$LAYER.tar.new" "$LAYER.tar"
  printf '%s' "$1" > "$LAYER.key"
}

explain_composer_failure() {
  local log="$SCRATCH/composer.log" extension
  extension=$(sed -nE 's/.*(requires|require) (PHP extension )?ext-([a-z0-9_]+).*/\3/p' "$log" | head -n 1)
  if [ -n "$extension" ]; then
    fail_for_extension "$extension"
  elif grep -qE 'php .* does not satisfy|requires php ' "$log"; then
    fail "The app asks for another PHP than the stack's $PHP_VERSION (see above)." \
      "Change \`require.php\` in composer.json, or import a stack that has it: senryud stacks:import"
  elif grep -q 'lock file is not up to date' "$log"; then
    fail "composer.lock does not fit composer.json." "Run \`composer update --lock\`, commit composer.lock and push again."
  elif grep -qE 'curl error|could not be downloaded|Could not resolve host|Network disabled' "$log"; then
    fail "A package could not be downloaded (see above)." "Try again, or put the packages in git: git add -f vendor"
  fi
  fail "Composer could not install the packages (see above)." "Run \`composer install --no-dev\` on your machine, correct what fails and push again."
}
