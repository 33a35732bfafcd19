#!/usr/bin/env bash
# Installs the servers and libraries the platform runs on, from Debian/Ubuntu packages, where they are missing.
#
#   install.sh [PART...]            install what is missing (all parts unless named: postgres redis rabbitmq xgboost setpriv)
#   install.sh --list               one line per part: name, path or "-", package
#
# Needs root; as anybody else it prints the command to run and exits 1. Does nothing, at once, when all is there.
# The system's own services are not started: the platform runs its servers itself, on loopback, with its own data.
set -euo pipefail
# shellcheck source=eng/servers/found.sh
source "$(dirname "${BASH_SOURCE[0]}")/found.sh"

say() { printf '%s\n' "servers: $*"; }
fail() { printf '%s\n' "servers: $*" >&2; exit 1; }

if [[ ${1:-} == --list ]]; then
    for part in "${SERVER_PARTS[@]}"; do
        printf '%s\t%s\t%s\n' "$part" "$("find_$part" || echo -)" "$(package_of "$part")"
    done
    exit 0
fi

parts=("$@")
[[ ${#parts[@]} -gt 0 ]] || parts=("${SERVER_PARTS[@]}")
missing=()
packages=()
for part in "${parts[@]}"; do
    package=$(package_of "$part") || fail "unknown part '$part'; known: ${SERVER_PARTS[*]}"
    "find_$part" >/dev/null || { missing+=("$part"); packages+=("$package"); }
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

command -v apt-get >/dev/null ||
    fail "missing: ${missing[*]}. This is no Debian or Ubuntu: install them with your package manager (Debian calls them ${packages[*]})."
[[ $EUID -eq 0 ]] ||
    fail "missing: ${missing[*]}. Run:  sudo apt-get update && sudo apt-get install -y ${packages[*]}"

# While this file is there and exits 101, package scripts start no service. An administrator's own one is left alone.
policy=/usr/sbin/policy-rc.d
own_policy=''
remove_policy() { [[ -z $own_policy ]] || rm -f "$policy"; }
trap remove_policy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [[ ! -e $policy ]]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

log=$(mktemp)
trap 'remove_policy; rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 </dev/null || { tail -n 30 "$log" >&2; fail "failed: $*"; }; }
apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "${packages[@]}" </dev/null
}

say "installing ${packages[*]} (takes a minute)"
if ! apt_install >"$log" 2>&1; then
    say "refreshing the package lists"
    quietly apt-get update -q -o DPkg::Lock::Timeout=300
    for package in "${packages[@]}"; do
        apt-cache show "$package" >/dev/null 2>&1 ||
            fail "this distribution has no package '$package'; on Debian 12 it comes with 'main', on Ubuntu with 'universe'"
    done
    quietly apt_install
fi
for part in "${missing[@]}"; do
    path=$("find_$part") || fail "$(package_of "$part") is installed but $part was not found"
    say "$part: $path"
done
