# shellcheck shell=bash
# shellcheck disable=SC2034  # at_end is read by common.sh
# up, down, demo, bench. One platform per state folder: the AppHost and all its processes hold a lock on
# $MLOPS_STATE/lock, so it is free exactly when the last of them is gone, however they ended.

help_up() {
    cat <<'HELP'
usage: ./mlops up [--detach]

Starts the platform and shows its progress; Ctrl-C stops everything in order. Installs what is missing first
(Debian/Ubuntu as root; otherwise it says what to install).

  --detach   leave it running in the background once it is healthy; ./mlops down stops it
HELP
}

help_down() {
    cat <<'HELP'
usage: ./mlops down [--wipe]

Stops the platform and waits until its last process is gone.

  --wipe   then delete all its data
HELP
}

help_demo() {
    cat <<'HELP'
usage: ./mlops demo [--keep] [ARGUMENTS...]

Runs the flight delay demo through the gateway, on the running platform or on one it starts and stops itself.
The report is in $MLOPS_STATE/demo.

  --keep   leave the platform running
HELP
}

help_bench() {
    cat <<'HELP'
usage: ./mlops bench [NAME...]

Runs the benchmarks (all, or those named) from a Release build.
HELP
}

# address NAME: rest, grpc or dashboard, as the AppHost announced it once it was up. Ports may be 0, "any free one".
address() { sed -nE "s/.*\"$1\":\"([^\"]+)\".*/\1/p" "$MLOPS_STATE/endpoints.json" 2>/dev/null; }
is_announced() { [[ -s $MLOPS_STATE/endpoints.json ]]; }
show_addresses() {
    is_announced || { say "  not up yet"; return; }
    say "  REST       $(address rest)"
    say "  gRPC       $(address grpc)"
    say "  dashboard  $(address dashboard)"
}
is_healthy() {
    is_announced || return 1
    local probe
    probe=$(address probe) # REST, unless that speaks TLS
    [[ $(http_status "${probe##*:}" /health) == 200 ]]
}
# The administrator's key, where the gateway asks for one.
admin_key() { [[ $(address access) != closed ]] || cat "$MLOPS_STATE/secrets/admin-key"; }

# Takes the lock as descriptor 9, to be inherited by the AppHost; fails when a platform is there.
take_lock() {
    if [[ ! -d $MLOPS_STATE || -z $(ls -A "$MLOPS_STATE") ]]; then
        mkdir -p "$MLOPS_STATE"
        chmod 700 "$MLOPS_STATE"
        say "Data of MlOps.Aspire; ./mlops down --wipe deletes all of it." >"$MLOPS_STATE/README"
    fi
    exec 9>>"$MLOPS_STATE/lock"
    flock -n 9
}
is_up() {
    [[ -e $MLOPS_STATE/lock ]] && ! (flock -n 8) 8>>"$MLOPS_STATE/lock"
}
# The AppHost's process id, when it is alive.
apphost_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$MLOPS_STATE/pid" && [[ $(start_time "$pid") == "$started" ]] && say "$pid"
}
note_pid() { printf '%s %s\n' "$1" "$(start_time "$1")" >"$MLOPS_STATE/pid"; }

ready_to_start() {
    command -v flock >/dev/null || fail "flock is missing; install util-linux"
    if ! take_lock; then
        say "The platform is running already (process $(apphost_pid || say 'unknown, it may be stopping'), data in $MLOPS_STATE):"
        show_addresses
        exit 1
    fi
    note_pid $$
    local name
    for name in MLOPS_REST_PORT MLOPS_GRPC_PORT MLOPS_DASHBOARD_PORT; do
        [[ ${!name} == 0 ]] || ! is_listening "${!name}" || fail "port ${!name} is taken by another program; set $name to a free one"
    done
    prepare
}

apphost=AppHost/bin/Release/net10.0/MlOps.AppHost.dll

run_up() {
    local detach=''
    while [[ $# -gt 0 ]]; do
        case $1 in
            --detach) detach=yes ;;
            *) unknown_option up "$1" ;;
        esac
        shift
    done
    ready_to_start
    if [[ -n $detach ]]; then
        start_in_background
    else
        trap - EXIT INT TERM HUP
        exec dotnet "$apphost"
    fi
}

# start_in_background [COMMAND...]: the AppHost (behind COMMAND) in a session of its own; returns when it is healthy.
start_in_background() {
    local log=$MLOPS_STATE/apphost.log pid follower deadline=$((SECONDS + 300))
    : >"$log"
    rm -f "$MLOPS_STATE/endpoints.json"
    setsid "$@" dotnet "$apphost" >"$log" 2>&1 </dev/null &
    pid=$!
    note_pid "$pid"
    exec 9>&- # from here on the lock is the AppHost's alone
    at_end=(stop_platform)
    tail -n +1 -f --pid="$pid" "$log" &
    follower=$!
    until is_healthy; do
        if [[ ! -d /proc/$pid || $SECONDS -gt $deadline ]]; then
            end_follower "$follower"
            fail "the platform did not start; what it said is above and in $log"
        fi
        sleep 0.3
    done
    end_follower "$follower"
    at_end=()
    say "It runs in the background (process $pid, log in $log)."
}
end_follower() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# Asks the AppHost to stop and waits for the last process; after a minute it is killed, which its children follow.
stop_platform() {
    is_up || return 0
    local pid='' start=$SECONDS killed=''
    pid=$(apphost_pid) || true
    say "Stopping the platform${pid:+ (process $pid)}"
    [[ -z $pid ]] || kill -s TERM "$pid" 2>/dev/null || true
    while is_up; do
        if [[ -z $killed && $((SECONDS - start)) -ge 60 ]]; then
            killed=yes
            say "  it does not stop in order; killing it"
            ! pid=$(apphost_pid) || kill -s KILL "$pid" 2>/dev/null || true
        fi
        [[ $((SECONDS - start)) -lt 90 ]] || { say "  some of its processes are still there" >&2; return 1; }
        sleep 0.1
    done
    rm -f "$MLOPS_STATE/pid"
    say "  stopped"
}

run_down() {
    local wipe=''
    while [[ $# -gt 0 ]]; do
        case $1 in
            --wipe) wipe=yes ;;
            *) unknown_option down "$1" ;;
        esac
        shift
    done
    if is_up; then stop_platform; else say "The platform is not running."; fi
    [[ -n $wipe && -d $MLOPS_STATE ]] || return 0
    # Never a folder that somebody named by mistake.
    [[ $MLOPS_STATE == "$PWD/.mlops" || -f $MLOPS_STATE/README && -e $MLOPS_STATE/lock ]] ||
        fail "$MLOPS_STATE was not made by ./mlops; delete it yourself"
    rm -rf "$MLOPS_STATE"
    say "Deleted $MLOPS_STATE"
}

run_demo() {
    local keep='' status=0
    local arguments=()
    while [[ $# -gt 0 ]]; do
        case $1 in
            --keep) keep=yes ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
    if is_up; then
        is_healthy || fail "a platform is there but it is not healthy; see $MLOPS_STATE/apphost.log, or ./mlops down"
        say "Using the platform that is running"
        require_dotnet
    else
        ready_to_start
        if [[ -n $keep ]]; then
            start_in_background
        else
            # Should this script be killed, the platform stops in order.
            start_in_background setpriv --pdeathsig TERM
            at_end=(stop_platform)
        fi
    fi
    [[ -f samples/flights/bin/Release/net10.0/MlOps.Flights.dll ]] || build
    export MLOPS_KEY=${MLOPS_KEY:-$(admin_key)}
    run_child env MLOPS_REST="$(address rest)" MLOPS_GRPC="$(address grpc)" \
        dotnet samples/flights/bin/Release/net10.0/MlOps.Flights.dll demo "${arguments[@]}" || status=$?
    exit "$status"
}

run_bench() {
    local status=0
    prepare
    export MLOPS_KEY=${MLOPS_KEY:-$(admin_key)}
    run_child dotnet benchmarks/bin/Release/net10.0/MlOps.Benchmarks.dll "$@" || status=$?
    exit "$status"
}
