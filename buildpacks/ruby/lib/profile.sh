# What a Ruby dyno gets unless a config var says otherwise.
export LANG="${LANG:-C.UTF-8}"
export PATH="$HOME/bin:$HOME/vendor/bundle/bin:$PATH"
export RACK_ENV="${RACK_ENV:-production}"
export RAILS_ENV="${RAILS_ENV:-$RACK_ENV}"
export RAILS_SERVE_STATIC_FILES="${RAILS_SERVE_STATIC_FILES:-enabled}"
export RAILS_LOG_TO_STDOUT="${RAILS_LOG_TO_STDOUT:-enabled}"
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export BUNDLE_WITHOUT="${BUNDLE_WITHOUT:-development:test}"
