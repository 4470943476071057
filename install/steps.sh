# The quickstart's steps. Sourced; each step says what it does, and does nothing when it is done already.
export SENRYU_HOME=${SENRYU_HOME:-/var/lib/senryu} SENRYU_PORT=${SENRYU_PORT:-8080} SENRYU_TLS_PORT=${SENRYU_TLS_PORT:-8443}
export SENRYU_DOMAIN=${SENRYU_DOMAIN:-localhost}
export SENRYU_URL=http://localhost:$SENRYU_PORT
operator_email=${SENRYU_EMAIL:-operator@localhost}
packages="ca-certificates curl git iproute2 nftables procps python3 python3-venv runc conmon haproxy lua-socket tini e2fsprogs util-linux bubblewrap runit zstd skopeo umoci postgresql pgbackrest redis-tools openssl"
venv=$SENRYU_HOME/venv

say() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }
fail() { printf ' !     %s\n' "$*" >&2; exit 1; }

need_supported_system() {
  [ "$(id -u)" = 0 ] || fail "Run this as root (sudo ./quickstart): it installs packages and makes containers, networks and users."
  command -v apt-get >/dev/null || fail "This needs Debian 12 or newer (or a relative with apt-get): packages come from there."
  [ "$(uname -m)" = x86_64 ] || [ "$(uname -m)" = aarch64 ] || fail "This needs an x86_64 or aarch64 machine; this is $(uname -m)."
  /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    || fail "This needs Python 3.11 or newer as /usr/bin/python3 (Debian 12 has it: apt-get install python3)."
  case $SENRYU_HOME in /*) ;; *) fail "SENRYU_HOME must be an absolute path; it is $SENRYU_HOME." ;; esac
}

missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
  done
}

install_packages() {
  local wanted="$packages ${2:-}" language list missing
  while IFS=: read -r language list; do
    case $language in ''|\#*) continue ;; esac
    case ",$1," in *,all,*|*,"$language",*) wanted="$wanted $list" ;; esac
  done < "$here/buildpacks/stack-packages.txt"
  missing=$(missing_packages $wanted)
  if [ -z "${missing// }" ]; then say "Debian packages: all there"; return; fi
  say "Installing Debian packages: $missing"
  # Packages must not start servers of their own (nginx, php-fpm, haproxy would take ports); ours are started below.
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod 755 $policy; made_policy=yes; fi
  # Nor make databases of their own.
  mkdir -p /etc/postgresql-common/createcluster.d; echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/senryu.conf
  trap '[ -z "$made_policy" ] || rm -f /usr/sbin/policy-rc.d; rm -f /etc/postgresql-common/createcluster.d/senryu.conf' RETURN
  local log; log=$(mktemp)
  DEBIAN_FRONTEND=noninteractive apt-get update -qq >"$log" 2>&1 || true
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    [ -z "$made_policy" ] || rm -f $policy
    rm -f /etc/postgresql-common/createcluster.d/senryu.conf
    fail "apt-get could not install $missing (its last words are above); check the network and /etc/apt."
  fi
  rm -f "$log"
}

make_users() {
  local user
  getent group senryu >/dev/null || groupadd --system senryu
  for user in senryu senryu-router; do
    id "$user" >/dev/null 2>&1 && continue
    say "Making the user $user"
    useradd --system --gid senryu --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  done
  # In no group of ours: what tenants' databases run as may read nothing of the platform.
  for user in senryu-data senryu-objects; do
    id "$user" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  done
}

source_stamp() {
  (cd "$here" && find src buildpacks pyproject.toml requirements.lock -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64)
}

install_program() {
  local stamp; stamp=$(source_stamp)
  if [ "$(cat "$venv/.installed-from" 2>/dev/null)" = "$stamp" ]; then say "Program: up to date in $venv"; return; fi
  say "Installing the program into $venv"
  mkdir -p "$SENRYU_HOME"; chmod 755 "$SENRYU_HOME"
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
  rm -f "$venv/.installed-from"
  # The machine's own certificate authorities count (a company's proxy), also where sudo has emptied the environment.
  local bundle=/etc/ssl/certs/ca-certificates.crt
  [ ! -r $bundle ] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$bundle} PIP_CERT=${PIP_CERT:-$bundle}
  local uv_version; uv_version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$here/requirements.lock")
  [ -x "$venv/bin/uv" ] || "$venv/bin/pip" -q --disable-pip-version-check install "uv==$uv_version" 2>&1 | grep -v '^WARNING' || true
  "$venv/bin/uv" pip sync -q --python "$venv/bin/python" --require-hashes "$here/requirements.lock" \
    || fail "The pinned Python packages could not be installed; check that PyPI can be reached."
  "$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --reinstall-package senryu --compile-bytecode "$here" \
    || fail "The program itself could not be installed from $here."
  "$venv/bin/python" -m senryu.install.lean || fail "The packages in $venv could not be compiled."
  sync # the stamp must not outlive, in a power cut, what it vouches for
  echo "$stamp" > "$venv/.installed-from"
  program_changed=yes
}

runsvdir_pid() {
  local pid; pid=$(cat "$SENRYU_HOME/services.pid" 2>/dev/null) || return 1
  tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF "runsvdir $SENRYU_HOME/services" && echo "$pid"
}

is_healthy() { curl -fsS -m 10 "$SENRYU_URL/senryu/health" >/dev/null 2>&1; }

# A newer HAProxy package takes over from the running one, and keeps the ports.
renew_router() {
  local pid is_old=
  for pid in $(pgrep -x haproxy); do
    grep -qzxF -- "$SENRYU_HOME/router/haproxy.cfg" "/proc/$pid/cmdline" 2>/dev/null || continue
    case $(readlink "/proc/$pid/exe" 2>/dev/null) in
      *' (deleted)') is_old=yes ;;
      ?*) return 0 ;;  # an old one may be left beside it for what it has begun
    esac
  done
  [ -n "$is_old" ] || return 0
  say "Replacing the router with the installed HAProxy (nothing is refused)"
  sv 2 "$SENRYU_HOME/services/router" >/dev/null || true
}

start_platform() {
  "$venv/bin/senryud" install --runit >/dev/null || fail "The services could not be written below $SENRYU_HOME."
  if runsvdir_pid >/dev/null; then
    if [ -n "${program_changed:-}" ]; then
      say "Restarting the platform with the new program (apps keep serving)"
      # The router is not restarted: senryud has it start anew from its files, without closing a port, when these have changed.
      for service in agent senryud; do sv -w 30 restart "$SENRYU_HOME/services/$service" >/dev/null || true; done
    else
      say "Platform: running"
    fi
    renew_router
  else
    local port
    for port in "$SENRYU_PORT" "$SENRYU_TLS_PORT" "${SENRYU_RENDEZVOUS_PORT:-$((SENRYU_TLS_PORT + 1000))}"; do
      if ss -Hltn "sport = :$port" | grep -q .; then
        fail "Port $port is taken by another program; choose others: SENRYU_PORT=8090 SENRYU_TLS_PORT=8453 ./quickstart"
      fi
    done
    say "Starting the platform"
    setsid runsvdir "$SENRYU_HOME/services" </dev/null >/dev/null 2>&1 &
    echo $! > "$SENRYU_HOME/services.pid"
  fi
  local deadline=$((SECONDS + 90))
  until is_healthy; do
    [ $SECONDS -lt $deadline ] || { show_logs; fail "The platform did not come up in 90 s; its logs are in $SENRYU_HOME/services/*/log/main/current."; }
    sleep 0.2
  done
}

show_logs() { tail -n 8 "$SENRYU_HOME"/services/*/log/main/current >&2 2>/dev/null || true; }

# The CLI as whoever called sudo, so that the login is theirs.
as_caller() {
  if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    local home; home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    setpriv --reuid="$SUDO_USER" --regid="$(id -g "$SUDO_USER")" --init-groups env HOME="$home" USER="$SUDO_USER" "$@"
  else
    "$@"
  fi
}

log_in_operator() {
  local secret=$SENRYU_HOME/operator-password
  if as_caller "$here/bin/senryu" auth:whoami >/dev/null 2>&1; then say "Login: $(as_caller "$here/bin/senryu" auth:whoami)"; return; fi
  if [ ! -s "$secret" ]; then
    (umask 077; head -c 18 /dev/urandom | base64 | tr '+/' 'xy' > "$secret")
  fi
  if as_caller "$here/bin/senryu" register --email "$operator_email" --password-stdin < "$secret" >/dev/null 2>&1; then
    say "Made the first account, $operator_email, and logged it in"
  else
    as_caller "$here/bin/senryu" login --email "$operator_email" --password-stdin < "$secret" >/dev/null \
      || fail "Could not log in as $operator_email; log in by hand with bin/senryu login."
    say "Logged in as $operator_email"
  fi
}

example_app() { cat "$SENRYU_HOME/example-app" 2>/dev/null; }
app_url() { as_caller "$here/bin/senryu" apps:info -a "$(example_app)" --json | /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin); print(d.get("app", d)["web_url"])'; }

deploy_example() {
  local name url work
  name=$(example_app) || true
  if [ -n "$name" ] && as_caller "$here/bin/senryu" apps:info -a "$name" >/dev/null 2>&1; then
    url=$(app_url)
    if answers "$url" 20; then say "Example app: $url answers"; return; fi
  fi
  name=${name:-hello-$(tr -dc 'a-z0-9' < /dev/urandom | head -c 5 || true)}
  work=$SENRYU_HOME/example
  say "Deploying examples/python-web as $name by git push"
  rm -rf "$work"; cp -R "$here/examples/python-web" "$work"
  [ -z "${SUDO_USER:-}" ] || chown -R "$SUDO_USER" "$work"
  (
    cd "$work"
    as_caller git init -q -b main
    as_caller git add -A
    as_caller git -c user.name=quickstart -c user.email=quickstart@localhost commit -q -m "Hello from the quickstart"
    as_caller "$here/bin/senryu" create "$name" >/dev/null 2>&1 || as_caller "$here/bin/senryu" git:remote -a "$name" >/dev/null
    as_caller git push -q -f senryu main 2>&1 | sed 's/^remote: \{0,1\}//; s/^/       /'
  ) || fail "The example could not be deployed; try again with ./quickstart."
  echo "$name" > "$SENRYU_HOME/example-app"
  url=$(app_url)
  answers "$url" 60 || fail "$url does not answer; see bin/senryu logs -a $name."
  say "$url answers"
}

answers() {
  local deadline=$((SECONDS + $2))
  until curl -fsS -m 5 --resolve '*:'"$SENRYU_PORT"':127.0.0.1' "$1" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
}

stop_platform() {
  local pid service
  if pid=$(runsvdir_pid); then
    say "Stopping the platform"
    # runsvdir first: it would start a supervisor anew that ended as told, and with it the service.
    kill -TERM "$pid" 2>/dev/null || true
    local deadline=$((SECONDS + 20))
    while [ -d "/proc/$pid" ] && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
  fi
  for service in senryud router agent; do  # also when an earlier stop was cut off here
    sv -w 20 force-stop "$SENRYU_HOME/services/$service" >/dev/null 2>&1 || true
    sv exit "$SENRYU_HOME/services/$service" >/dev/null 2>&1 || true
  done
  rm -f "$SENRYU_HOME/services.pid"
  if [ -x "$venv/bin/senryu-agent" ]; then
    say "Ending dynos, removing networks, mounts and control groups"
    "$venv/bin/senryu-agent" --home "$SENRYU_HOME" --user senryu --cleanup || fail "Not everything could be removed; run ./quickstart --stop again."
  fi
}
