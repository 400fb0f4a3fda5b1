# Sourced where Debian packages are missing: installs them as root or through sudo.
# shellcheck shell=bash

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif has sudo && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    return 1
  fi
}

apt_install() {
  has apt-get || fail "this script knows only Debian's apt; please install the equivalent of: $*"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  as_root apt-get update -q && as_root "${install[@]}" ||
    fail "could not install packages; as root, run: apt-get update && apt-get install -y --no-install-recommends $*"
}

no_debian_cluster() {
  local config=/etc/postgresql-common/createcluster.conf
  [[ -e "$config" ]] && return
  as_root mkdir -p "${config%/*}" &&
    as_root sh -c "echo 'create_main_cluster = false' >$config" || true
}

# Debian starts a Redis for everybody on port 6379 when it installs one, unless that is masked.
no_debian_redis() {
  local unit=/etc/systemd/system/redis-server.service
  [[ -e "$unit" || -L "$unit" ]] && return
  as_root mkdir -p "${unit%/*}" && as_root ln -s /dev/null "$unit" || true
}
