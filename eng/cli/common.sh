# shellcheck shell=bash
# What the commands share: settings, output, child processes, preparation. Sourced by ./mlops in the repository's root.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# A worker of the build that stays behind would outlive the command.
export MSBUILDDISABLENODEREUSE=1

MLOPS_STATE=$(realpath -m "${MLOPS_STATE:-$PWD/.mlops}")
export MLOPS_STATE
export MLOPS_REST_PORT=${MLOPS_REST_PORT:-8080}
export MLOPS_GRPC_PORT=${MLOPS_GRPC_PORT:-8081}
export MLOPS_DASHBOARD_PORT=${MLOPS_DASHBOARD_PORT:-18888}

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "mlops: $*" >&2; exit 1; }
unknown_option() { fail "unknown option '$2'; see ./mlops $1 --help"; }

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status PORT PATH: prints the status code of a GET on loopback; fails when nobody answers.
http_status() (
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
    IFS=' ' read -r -t 10 _ status _ <&3 && printf '%s\n' "$status"
)

# The clock tick a process started at: with its id, a name no other process ever has.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086  # split into fields on purpose
    set -- ${stat##*) }
    printf '%s\n' "${20}"
}

# Runs a command so that signals to ./mlops end it at once, and so that it dies with ./mlops. Its exit code is ours.
# It gets no lock (descriptor 9): what a build leaves behind must not look like a running platform.
child=''
last_child=''
run_child() {
    local status=0
    if find_setpriv >/dev/null; then set -- setpriv --pdeathsig TERM "$@"; fi
    "$@" 9>&- &
    child=$!
    last_child=$child
    wait "$child" || status=$?
    child=''
    return "$status"
}
end_child() {
    [[ -n $child ]] || return 0
    kill -s TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    child=''
}
# Whatever ends ./mlops: first the child, then what the command put into at_end.
at_end=()
finish() {
    local step
    trap '' INT TERM HUP
    end_child
    for step in "${at_end[@]}"; do "$step"; done
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# quietly TITLE COMMAND...: shows the title and the time it took; the output only when it fails.
quietly() {
    local title=$1 output start=$SECONDS status=0
    shift
    output=$(mktemp)
    say "$title"
    run_child "$@" >"$output" 2>&1 </dev/null || status=$?
    if [[ $status -ne 0 ]]; then
        cat "$output" >&2
        rm -f "$output"
        fail "this failed (code $status): $*"
    fi
    rm -f "$output"
    [[ $((SECONDS - start)) -lt 2 ]] || say "  done in $((SECONDS - start)) s"
}

has_patchy_feed() { [[ -e eng/feed/.local/feed.props ]]; }

# The container engine that answers, if any: a client on PATH proves nothing.
container_engine() {
    local engine
    for engine in docker podman; do
        command -v "$engine" >/dev/null || continue
        [[ -n $(timeout 5 "$engine" version --format '{{.Server.Version}}' 2>/dev/null) ]] && say "$engine" && return 0
    done
    return 1
}

require_dotnet() {
    command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing; see https://dotnet.microsoft.com/download/dotnet/10.0"
    dotnet --version >/dev/null 2>&1 || fail "global.json asks for a newer .NET SDK than is installed: $(dotnet --list-sdks | tr '\n' ' ')"
}

# One thing a build is made of that is newer than file $1, if any; folders count too where $2 is '*', as they
# change with what is added or removed (a first build adds bin and obj).
newer_than() {
    local file=$1
    shift
    find . \( -name bin -o -name obj -o -name .git -o -name .mlops -o -name .local \) -prune -o -newer "$file" \
        \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.targets' -o -name '*.proto' -o -name '*.sql' \
        -o -name '*.json' -o -name '*.sln' -o -name '.editorconfig' -o -name 'BannedSymbols*' -o -path '*/data/*' \
        -o -type d ! -path . -path "${1:-/none}" \) -print -quit
}
build_stamp=AppHost/bin/Release/.built
is_built() {
    [[ -f $build_stamp && -f AppHost/bin/Release/net10.0/MlOps.AppHost.dll && -z $(newer_than "$build_stamp" '*') ]] &&
        [[ ! eng/feed/.local/feed.props -nt $build_stamp ]]
}
end_build() { kill -s TERM -- "-$last_child" 2>/dev/null || true; }
build() {
    is_built && return 0
    local started
    started=$(mktemp)
    # A compiler server of its own (many times faster than none), and under timeout a process group of its own, so that
    # neither it nor a worker stays behind.
    at_end+=(end_build)
    quietly "build: compiling (the first time takes a few minutes)" \
        timeout -k 5 3600 dotnet build MlOps.Aspire.sln -c Release -v q -nologo -p:SharedCompilationId="mlops-$$"
    end_build
    at_end=()
    # What was edited meanwhile may or may not be in it: no stamp, the next command builds again.
    [[ -n $(newer_than "$started") ]] || touch "$build_stamp"
    rm -f "$started"
}

# The servers and libraries the platform needs here; only the feed's state tells whether containers can be used.
parts_needed() {
    if [[ ${MLOPS_SERVERS:-} != native ]] && ! has_patchy_feed && container_engine >/dev/null; then
        say xgboost setpriv
    else
        say "${SERVER_PARTS[@]}"
    fi
}

# prepare [PART...]: packages, what the platform and the named parts need, and a Release build.
prepare() {
    require_dotnet
    run_child eng/feed/prepare.sh
    # shellcheck disable=SC2046  # words on purpose
    run_child eng/servers/install.sh $(parts_needed) "$@"
    build
}
