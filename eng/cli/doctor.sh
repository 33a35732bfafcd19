# shellcheck shell=bash
# doctor: what is there, what is missing, and the command that helps.

help_doctor() {
    cat <<'HELP'
usage: ./mlops doctor

Shows what is installed and what is missing, with the command that helps. Exit code 0 when the platform can run here.
HELP
}

troubles=0
row() { printf '%-8s %-18s %s\n' "$1" "$2" "$3"; }
good() { row ok "$1" "$2"; }
note() { row note "$1" "$2"; }
bad() { row MISSING "$1" "$2"; troubles=$((troubles + 1)); }

check_tools() {
    local version name path package packages=()
    if version=$(dotnet --version 2>/dev/null); then
        good ".NET SDK" "$version"
    else
        bad ".NET SDK" "10.0 is needed: https://dotnet.microsoft.com/download/dotnet/10.0"
    fi
    if version=$(node --version 2>/dev/null); then
        good node "$version"
    else
        note node "only needed where the package feed is patchy: apt-get install nodejs npm"
    fi
    if has_patchy_feed; then
        good "package feed" "patchy; made whole in eng/feed/.local"
    elif [[ -d eng/feed/.local ]]; then
        good "package feed" "complete"
    else
        note "package feed" "not asked yet; ./mlops up does it (or eng/feed/prepare.sh)"
    fi
    while IFS=$'\t' read -r name path package; do
        if [[ $path != - ]]; then good "$name" "$path"; else packages+=("$package"); bad "$name" "package $package"; fi
    done < <(eng/servers/install.sh --list)
    local remedy="sudo apt-get update && sudo apt-get install -y ${packages[*]}"
    [[ $EUID -ne 0 ]] || remedy=eng/servers/install.sh
    [[ ${#packages[@]} -eq 0 ]] || row "" "" "-> $remedy"
    if path=$(container_engine); then
        good containers "$path answers"
    else
        note containers "no engine answers; PostgreSQL, Redis and RabbitMQ run as own processes"
    fi
}

check_machine() {
    local name port memory disk folder=$MLOPS_STATE
    if is_up; then
        good platform "running (process $(apphost_pid || say '?'))"
    else
        for name in MLOPS_REST_PORT MLOPS_GRPC_PORT MLOPS_DASHBOARD_PORT; do
            port=${!name}
            if is_listening "$port"; then
                bad "port $port" "taken by another program: set $name to a free one"
            else
                good "port $port" "free ($name)"
            fi
        done
    fi
    memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    if [[ $memory -ge 3072 ]]; then good memory "$memory MiB available"; else note memory "$memory MiB available; 3 GiB are comfortable"; fi
    while [[ ! -d $folder ]]; do folder=$(dirname "$folder"); done
    disk=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
    if [[ $disk -ge 3072 ]]; then good disk "$disk MiB free at $folder"; else note disk "$disk MiB free at $folder; 3 GiB are comfortable"; fi
}

run_doctor() {
    [[ $# -eq 0 ]] || unknown_option doctor "$1"
    check_tools
    check_machine
    [[ $troubles -eq 0 ]]
}
