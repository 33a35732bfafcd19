#!/usr/bin/env bash
# postgres.sh DATA_DIR PORT: PostgreSQL in the foreground on 127.0.0.1, data in DATA_DIR (created at the first run).
# MLOPS_POSTGRES_PASSWORD is the password of the superuser `mlops`; when it changed, the new one is set before the start.
# MLOPS_SERVERS_DURABLE=0 (tests) turns fsync and its kind off. Started as root it runs as the system user `postgres`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=eng/servers/found.sh
source "$here/found.sh"
# shellcheck source=eng/servers/supervise.sh
source "$here/supervise.sh"

[[ $# -eq 2 ]] || fail "usage: postgres.sh DATA_DIR PORT"
require_port "$2"
require_password MLOPS_POSTGRES_PASSWORD
find_postgres >/dev/null || fail "PostgreSQL is missing; run eng/servers/install.sh"
follow_parent "$@"
umask 077
folder=$(private_folder "$1")
port=$2

if [[ $EUID -eq 0 ]]; then
    # PostgreSQL refuses root. Its user reaches the folder through an open handle, so that a project below a private
    # home (/root, mode 0700) works without opening that home to anybody.
    id postgres >/dev/null 2>&1 || fail "there is no user postgres; run eng/servers/install.sh"
    find_setpriv >/dev/null || fail "setpriv is missing; run eng/servers/install.sh"
    start_as=(--reuid postgres --regid postgres --init-groups)
    [[ $(stat -c %U "$folder") == postgres ]] || chown -R postgres:postgres "$folder"
    if ! setpriv "${start_as[@]}" test -x "$folder"; then
        exec {handle}<"$folder"
        folder=/proc/self/fd/$handle
    fi
fi
data=$folder/data
as_owner() {
    if command -v setpriv >/dev/null; then setpriv "${start_as[@]}" --pdeathsig KILL "$@"; else "$@"; fi
}
password=$MLOPS_POSTGRES_PASSWORD
unset MLOPS_POSTGRES_PASSWORD
# Salted with the folder's own random salt; only tells whether the password is still the one in the data.
fingerprint() { printf '%s%s' "$1" "$password" | sha256sum | cut -d' ' -f1; }

if [[ ! -f $data/PG_VERSION ]]; then
    bin=$(find_postgres)
    as_owner rm -rf "$folder/data.new"
    printf '%s\n' "$password" | as_owner tee "$folder/password" >/dev/null
    trap 'rm -f "$folder/password"' EXIT
    as_owner "$bin/initdb" -D "$folder/data.new" -U mlops --pwfile="$folder/password" -A scram-sha-256 \
        --locale=C.UTF-8 -E UTF8 -N --data-checksums >"$folder/initdb.log" 2>&1 ||
        { cat "$folder/initdb.log" >&2; fail "could not create the data folder"; }
    rm -f "$folder/password"
    trap - EXIT
    salt=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '%s %s\n' "$salt" "$(fingerprint "$salt")" >"$folder/password.fingerprint"
    is_durable && sync -f "$folder/data.new/PG_VERSION"
    mv "$folder/data.new" "$data"
fi

version=$(cat "$data/PG_VERSION")
bin=$(find_postgres "$version") ||
    fail "the data is of PostgreSQL $version, which is not installed; install postgresql-$version, or start afresh with ./mlops down --wipe"

salt='' known=''
read -r salt known 2>/dev/null <"$folder/password.fingerprint" || true
if [[ $known != "$(fingerprint "$salt")" ]]; then
    printf '%s\n' "postgres: the password changed; setting the new one"
    printf "alter role mlops password '%s'\n" "${password//\'/\'\'}" |
        as_owner "$bin/postgres" --single -D "$data" -c log_min_messages=fatal postgres >/dev/null ||
        fail "could not set the new password"
    printf '%s %s\n' "$salt" "$(fingerprint "$salt")" >"$folder/password.fingerprint"
fi
unset password

settings=(
    listen_addresses=127.0.0.1 port="$port" unix_socket_directories=
    max_connections=200 shared_buffers=128MB max_wal_size=512MB jit=off
    log_min_messages=warning log_checkpoints=off logging_collector=off
)
is_durable || settings+=(fsync=off synchronous_commit=off full_page_writes=off)

start "$bin/postgres" -D "$data" "${settings[@]/#/--}"
supervise INT   # fast shutdown: SIGTERM would wait for every client
