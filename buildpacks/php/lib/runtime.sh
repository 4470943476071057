# The stack's PHP, made independent of /etc: a dyno has an /etc of its own, without /etc/php and
# /etc/alternatives, so the program and the list of extensions are named from the slug.

readonly NEVER_LOADED='^(xdebug|pcov)$'

# The real program behind /usr/bin/php, newest first when Debian's alternative is missing.
stack_program() { # php|php-fpm
  local found
  found=$(readlink -e "$(command -v "$1" || true)" || true)
  [ -n "$found" ] || found=$(compgen -G "/usr/*bin/$1[0-9]*" | grep -E "/$1[0-9.]+$" | sort -V | tail -n 1) || true
  printf '%s' "$found"
}

install_php() {
  local php
  php=$(stack_program php)
  [ -n "$php" ] || fail "The stack has no PHP." "On this machine: apt-get install php-cli php-fpm nginx-light. Then push again."
  mkdir -p .heroku/php/bin .heroku/php/conf.d
  ln -sf "$php" .heroku/php/bin/php
  PHP_VERSION=$("$php" -n -r 'echo PHP_VERSION;')
  cp "$BP_DIR/dyno/php.ini" .heroku/php/php.ini
  list_extensions "$("$php" -n -r 'echo ini_get("extension_dir");')" > .heroku/php/conf.d/extensions.ini
  export PHPRC="$BUILD_DIR/.heroku/php" PHP_INI_SCAN_DIR="$BUILD_DIR/.heroku/php/conf.d" PATH="$BUILD_DIR/.heroku/php/bin:$PATH"
  detail "Using the stack's PHP $PHP_VERSION"
}

# One line per extension file, those that others build on first.
list_extensions() { # FOLDER
  local first='mysqlnd pdo xml' name
  for name in $first $(find "$1" -maxdepth 1 -name '*.so' -printf '%f\n' | sed 's/\.so$//' | grep -vxF "${first// /$'\n'}" | sort); do
    [ -f "$1/$name.so" ] && [[ ! $name =~ $NEVER_LOADED ]] || continue
    case $name in opcache) echo "zend_extension=$name.so" ;; *) echo "extension=$name.so" ;; esac
  done
}

install_server() {
  local fpm nginx
  cp "$BP_DIR/dyno/serve" .heroku/php/bin/heroku-php-nginx
  ln -sf heroku-php-nginx .heroku/php/bin/heroku-php-apache2
  cp "$BP_DIR/dyno/mime.types" .heroku/php/mime.types
  cp "$BP_DIR/dyno/profile.sh" .profile.d/php.sh
  fpm=$(stack_program php-fpm)
  nginx=$(command -v nginx || true)
  if [ -n "$fpm" ] && [ -n "$nginx" ]; then
    ln -sf "$fpm" .heroku/php/bin/php-fpm
    detail "Web dynos run nginx and PHP-FPM"
  else
    detail "Web dynos run PHP's own server: the stack has not both nginx and PHP-FPM"
  fi
}

# Procfiles from before 2014 name the scripts by this path.
link_scripts() {
  local name
  mkdir -p vendor/bin
  for name in heroku-php-nginx heroku-php-apache2; do
    [ -e "vendor/bin/$name" ] || ln -s "../../.heroku/php/bin/$name" "vendor/bin/$name"
  done
}
