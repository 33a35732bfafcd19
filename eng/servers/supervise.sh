# shellcheck shell=bash
# Runs one server in the foreground so that it always ends with, and never outlives, whoever started the script.
# Sourced by the server scripts, which call `follow_parent "$@"` first, `start` for each process and `supervise` last.
#
# Three ways to end, all covered:
#   SIGTERM, SIGINT, SIGHUP   the server gets its own quick and clean stop signal; the script waits and exits 0.
#   the parent is killed      the kernel sends us SIGUSR1 (parent-death signal); same clean stop. The signal follows the
#                             parent's *thread*, so it counts only when the parent process is really gone.
#   this script is killed     the kernel sends SIGKILL to its children (their parent-death signal; bash has one thread).

fail() { printf '%s\n' "$(basename "$0" .sh): $*" >&2; exit 1; }

# Replaces this script by itself with the parent-death signal set. Without setpriv it goes on without.
follow_parent() {
    if [[ ${MLOPS_SERVER_PARENT:-} == "$PPID:$$" ]]; then
        unset MLOPS_SERVER_PARENT
        return 0
    fi
    # A marker of another process means that our parent died before we asked for its death signal.
    [[ -z ${MLOPS_SERVER_PARENT:-} || ${MLOPS_SERVER_PARENT##*:} != "$$" ]] || exit 1
    command -v setpriv >/dev/null || return 0
    MLOPS_SERVER_PARENT=$PPID:$$ exec setpriv --pdeathsig USR1 "$BASH" "$0" "$@"
}

started=()
# Starts a process in the background that dies with this script; its id is then in $started_pid.
start() {
    if command -v setpriv >/dev/null; then
        setpriv "${start_as[@]}" --pdeathsig KILL "$@" </dev/null &
    else
        "$@" </dev/null &
    fi
    started_pid=$!
    started+=("$started_pid")
}
start_as=()

current_parent() { local parent; read -r _ _ _ parent _ <"/proc/$$/stat"; printf '%s\n' "$parent"; }

# supervise SIGNAL: waits for the process started last; SIGNAL is what stops it cleanly. Then ends the others.
supervise() {
    local signal=$1 server=$started_pid parent=$PPID stopping='' status=0
    # shellcheck disable=SC2317  # called by traps
    stop() { stopping=yes; kill -s "$signal" "$server" 2>/dev/null || true; }
    trap stop TERM INT HUP
    trap '[[ $(current_parent) == "$parent" ]] || stop' USR1
    while :; do
        status=0
        wait "$server" || status=$?
        kill -0 "$server" 2>/dev/null || break   # else a trap cut the wait short
    done
    local other
    for other in "${started[@]}"; do
        [[ $other == "$server" ]] || kill -s TERM "$other" 2>/dev/null || true
    done
    wait
    [[ -z $stopping ]] || status=0
    exit "$status"
}

# Common to all servers: the arguments, the password, a private folder.
require_port() { [[ $1 =~ ^[0-9]+$ && $1 -gt 0 && $1 -lt 65536 ]] || fail "'$1' is not a port"; }
require_password() { [[ -n ${!1:-} ]] || fail "set $1: the password of user mlops"; }
private_folder() {
    { mkdir -p "$1" && chmod 700 "$1"; } || fail "cannot use folder $1"
    (cd "$1" && pwd -P)
}
is_durable() { [[ ${MLOPS_SERVERS_DURABLE:-1} != 0 ]]; }
