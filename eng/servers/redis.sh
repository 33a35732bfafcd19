#!/usr/bin/env bash
# redis.sh DATA_DIR PORT: Redis in the foreground on 127.0.0.1, data in DATA_DIR.
# MLOPS_REDIS_PASSWORD is the password, for user `mlops` and for clients that name no user; a new one is simply taken.
# Append-only file, synced every second; MLOPS_SERVERS_DURABLE=0 (tests) keeps nothing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=eng/servers/found.sh
source "$here/found.sh"
# shellcheck source=eng/servers/supervise.sh
source "$here/supervise.sh"

[[ $# -eq 2 ]] || fail "usage: redis.sh DATA_DIR PORT"
require_port "$2"
require_password MLOPS_REDIS_PASSWORD
redis=$(find_redis) || fail "redis-server is missing; run eng/servers/install.sh"
follow_parent "$@"
umask 077
folder=$(private_folder "$1")
port=$2
mkdir -p "$folder/data"

digest=$(printf %s "$MLOPS_REDIS_PASSWORD" | sha256sum | cut -d' ' -f1)
unset MLOPS_REDIS_PASSWORD
{
    printf '%s\n' "bind 127.0.0.1" "port $port" "dir \"$folder/data\"" 'daemonize no' 'loglevel warning'
    printf '%s\n' "user default on #$digest ~* &* +@all" "user mlops on #$digest ~* &* +@all"
    if is_durable; then
        printf '%s\n' 'appendonly yes' 'appendfsync everysec'
    else
        printf '%s\n' 'appendonly no' 'save ""' 'databases 64'
    fi
} >"$folder/redis.conf"

start "$redis" "$folder/redis.conf"
supervise TERM
