# Go itself: the stack's when it is new enough for go.mod, otherwise the module proxy's toolchain.
# Source: https://go.dev/doc/toolchain

readonly REACH_TIMEOUT_S=3
readonly DOWNLOAD_TIMEOUT_S=300

# The version go.mod asks for, as 1.22.0: its `// +heroku goVersion`, `toolchain` or `go` line.
wanted_go() {
  local line
  line=$(sed -nE 's|^// \+heroku goVersion go([0-9.]+).*|\1|p' go.mod | head -n 1)
  [ -n "$line" ] || line=$(sed -nE 's/^toolchain go([0-9.]+).*/\1/p' go.mod | head -n 1)
  [ -n "$line" ] || line=$(sed -nE 's/^go ([0-9.]+).*/\1/p' go.mod | head -n 1)
  printf '%s' "${line:-1.0}"
}

is_at_least() { # VERSION WANTED
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

install_go() {
  local wanted stack=''
  wanted=$(wanted_go)
  ! command -v go >/dev/null || stack=$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')
  if [ -n "$stack" ] && is_at_least "$stack" "$wanted"; then
    GO_VERSION=$stack
    detail "Using the stack's Go $GO_VERSION (go.mod: $wanted)"
    return
  fi
  fetch_go "$wanted" "$stack"
}

# Releases from 1.21 on always have a third number.
release_name() { # VERSION
  if [[ $1 =~ ^[0-9]+\.[0-9]+$ ]] && is_at_least "$1" 1.21; then echo "$1.0"; else echo "$1"; fi
}

fetch_go() { # WANTED STACK
  local machine proxy name folder
  GO_VERSION=$(release_name "$1")
  machine=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  proxy=$(module_proxy)
  name="v0.0.1-go$GO_VERSION.linux-$machine"
  folder="$CACHE_DIR/go/toolchain/$name"
  if [ ! -x "$folder/bin/go" ]; then
    detail "go.mod asks for Go $1; the stack has ${2:-no Go}: fetching it from $proxy"
    curl --silent --output /dev/null --head --max-time "$REACH_TIMEOUT_S" "$proxy/" \
      || fail "go.mod asks for Go $1; the stack has ${2:-no Go}, and $proxy cannot be reached to fetch it." \
        "Lower the \`go\` line of go.mod to ${2:-what the stack has}, install a newer Go on this machine" \
        "(apt-get install golang-go), or name a proxy it can reach: senryu config:set GOPROXY=https://…"
    curl --silent --show-error --fail --location --max-time "$DOWNLOAD_TIMEOUT_S" --output "$SCRATCH/go.zip" \
      "$proxy/golang.org/toolchain/@v/$name.zip" 2>"$SCRATCH/go.err" \
      || fail "Go $GO_VERSION could not be fetched from $proxy: $(<"$SCRATCH/go.err")." \
        "Name a Go release that exists in the \`go\` or \`toolchain\` line of go.mod."
    unpack_go "$name" "$folder"
  fi
  export GOROOT="$folder" PATH="$folder/bin:$PATH"
  detail "Using Go $GO_VERSION from the module proxy"
}

unpack_go() { # NAME FOLDER
  rm -rf "$CACHE_DIR/go/toolchain"
  mkdir -p "$CACHE_DIR/go/toolchain"
  python3 -B -E -s -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' "$SCRATCH/go.zip" "$SCRATCH/go"
  mv "$SCRATCH/go/golang.org/toolchain@$1" "$2"
  # A module zip carries no permissions.
  chmod -R u+rwX,go+rX "$2"
  find "$2/bin" "$2/pkg/tool" -type f -exec chmod +x {} + 2>/dev/null || true
}

# The first real address of GOPROXY, which may be a list.
module_proxy() {
  local entry
  for entry in $(tr ',|' '  ' <<< "${GOPROXY:-}"); do
    case $entry in http*) printf '%s' "${entry%/}"; return ;; esac
  done
  printf 'https://proxy.golang.org'
}
