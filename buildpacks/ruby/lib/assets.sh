# Rails' asset pipeline.
# Source: https://devcenter.heroku.com/articles/rails-asset-pipeline

readonly ASSET_FOLDERS=(public/assets public/packs tmp/cache/assets)

precompile_assets() {
  [ "$KIND" = rails ] && [ -f Rakefile ] || return 0
  step "Preparing Rails assets"
  if compgen -G 'public/assets/.sprockets-manifest-*.json' >/dev/null || [ -f public/assets/.manifest.json ]; then
    detail "public/assets is in git: assuming the assets were compiled before the push"
    return
  fi
  # The task loads the app, which may insist on what only a dyno has.
  export SECRET_KEY_BASE_DUMMY=1 SECRET_KEY_BASE="${SECRET_KEY_BASE:-$(<.heroku/ruby/secret_key_base)}"
  export DATABASE_URL="${DATABASE_URL:-postgresql://user:pass@127.0.0.1/dbname}"
  bundle exec rake -P </dev/null >"$SCRATCH/tasks" 2>"$SCRATCH/tasks.err" || {
    indent < "$SCRATCH/tasks.err"
    fail "The app's Rakefile could not be loaded (see above)." "Run \`RAILS_ENV=production bundle exec rake -P\` on your machine, correct what fails and push again."
  }
  grep -q '^rake assets:precompile$' "$SCRATCH/tasks" || { detail "There is no assets:precompile task"; return 0; }
  restore_assets
  detail "Running: rake assets:precompile"
  bundle exec rake assets:precompile </dev/null 2>&1 | indent \
    || fail "rake assets:precompile failed (see above)." "Run it on your machine with RAILS_ENV=production, correct what fails and push again."
  ! grep -q '^rake assets:clean$' "$SCRATCH/tasks" || bundle exec rake assets:clean </dev/null 2>&1 | indent || true
  save_assets
}

restore_assets() {
  [ ! -f "$CACHE_DIR/ruby/assets.tar" ] || tar -xf "$CACHE_DIR/ruby/assets.tar"
}

save_assets() {
  local folder found=()
  for folder in "${ASSET_FOLDERS[@]}"; do
    [ ! -d "$folder" ] || found+=("$folder")
  done
  [ "${#found[@]}" -eq 0 ] || { tar -cf "$CACHE_DIR/ruby/assets.tar.new" "${found[@]}" && mv "$CACHE_DIR/ruby/assets.tar"{.new,}; }
}
