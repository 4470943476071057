# Sourced when a dyno starts. Written by the PHP buildpack.
export PATH="$HOME/.heroku/php/bin:$HOME/vendor/bin:$PATH"
export PHPRC="${PHPRC:-$HOME/.heroku/php}"
export PHP_INI_SCAN_DIR="${PHP_INI_SCAN_DIR:-$HOME/.heroku/php/conf.d}"
