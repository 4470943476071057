# What an app is, told from its files alone: bin/release has nothing else to go by.

is_locked() { grep -qsE "^    $1 \(" Gemfile.lock; } # GEM

app_kind() {
  if is_locked railties && [ -f config/application.rb ]; then
    echo rails
  elif [ -f config.ru ]; then
    echo rack
  elif [ -n "$(sinatra_file)" ]; then
    echo sinatra
  else
    echo ruby
  fi
}

# A classic Sinatra app starts itself; the file has one of a few well-known names.
sinatra_file() {
  local file
  for file in app.rb main.rb web.rb server.rb; do
    if grep -qsE "^ *require ['\"]sinatra['\"]" "$file"; then
      echo "$file"
      return
    fi
  done
}
