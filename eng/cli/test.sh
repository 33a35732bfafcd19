# shellcheck shell=bash
# shellcheck disable=SC2034  # at_end is read by common.sh
# test: PostgreSQL, Redis and RabbitMQ of its own in a temporary folder, then every test project in turn.

help_test() {
    cat <<'HELP'
usage: ./mlops test [PROJECT...] [--filter EXPRESSION]

Runs all tests (or those of the projects named, such as Registry or EndToEnd) on real servers, which it starts in a
temporary folder on free ports and removes at the end. The last line counts: N passed, N failed.

  --filter EXPRESSION   only matching tests, as in dotnet test: --filter FullyQualifiedName~Drift

Servers named in MLOPS_TEST_POSTGRES (Npgsql connection string), MLOPS_TEST_REDIS (host:port,password=...) and
MLOPS_TEST_RABBITMQ (amqp://user:password@host:port/) are used as they are.
HELP
}

test_folder=''
remove_test_servers() {
    local pid
    for pid in "${test_servers[@]}"; do kill -s TERM "$pid" 2>/dev/null || true; done
    for pid in "${test_servers[@]}"; do wait "$pid" 2>/dev/null || true; done
    [[ -z $test_folder ]] || rm -rf "$test_folder"
}
test_servers=()

random_word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Sets the named variable to a port nobody listens on, below the range the kernel hands out by itself.
given_ports=' '
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        [[ $given_ports == *" $port "* ]] || is_listening "$port" || break
    done
    given_ports+="$port "
    printf -v "$1" %s "$port"
}

# start_server NAME ARGUMENTS...: eng/servers/NAME.sh with its data and log in the test folder.
start_server() {
    local name=$1
    shift
    setsid "eng/servers/$name.sh" "$test_folder/$name" "$@" >"$test_folder/$name.log" 2>&1 </dev/null &
    test_servers+=($!)
}

# await_server NAME PID CHECK...
await_server() {
    local name=$1 pid=$2 deadline=$((SECONDS + 120))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [[ ! -d /proc/$pid || $SECONDS -gt $deadline ]]; then
            tail -n 40 "$test_folder/$name.log" >&2
            fail "$name did not start"
        fi
        sleep 0.1
    done
}
# answers PORT TEXT PATTERN: what the server says first to TEXT matches.
answers() (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '%b' "$2" >&3
    timeout 5 head -c 20 <&3 | grep -aq "$3"
)

start_test_servers() {
    local postgres='' redis='' rabbitmq='' password
    local postgres_port redis_port rabbitmq_port dist_port epmd_port
    password=$(random_word)
    export MLOPS_SERVERS_DURABLE=0
    export MLOPS_POSTGRES_PASSWORD=$password MLOPS_REDIS_PASSWORD=$password MLOPS_RABBITMQ_PASSWORD=$password
    if [[ -z ${MLOPS_TEST_RABBITMQ:-} ]]; then
        free_port rabbitmq_port
        free_port dist_port
        free_port epmd_port
        start_server rabbitmq "$rabbitmq_port" "$dist_port" "$epmd_port"
        rabbitmq=$!
        export MLOPS_TEST_RABBITMQ=amqp://mlops:$password@127.0.0.1:$rabbitmq_port/
    fi
    if [[ -z ${MLOPS_TEST_POSTGRES:-} ]]; then
        free_port postgres_port
        start_server postgres "$postgres_port"
        postgres=$!
        export MLOPS_TEST_POSTGRES="Host=127.0.0.1;Port=$postgres_port;Username=mlops;Password=$password;Database=postgres"
    fi
    if [[ -z ${MLOPS_TEST_REDIS:-} ]]; then
        free_port redis_port
        start_server redis "$redis_port"
        redis=$!
        export MLOPS_TEST_REDIS=127.0.0.1:$redis_port,password=$password
    fi
    unset MLOPS_POSTGRES_PASSWORD MLOPS_REDIS_PASSWORD MLOPS_RABBITMQ_PASSWORD MLOPS_SERVERS_DURABLE
    [[ -z $redis ]] || await_server redis "$redis" answers "$redis_port" 'PING\r\n' NOAUTH
    [[ -z $postgres ]] ||
        await_server postgres "$postgres" "$(find_postgres)/pg_isready" -q -h 127.0.0.1 -p "$postgres_port"
    [[ -z $rabbitmq ]] || await_server rabbitmq "$rabbitmq" answers "$rabbitmq_port" 'AMQP\x00\x00\x09\x01' .
    [[ ${#test_servers[@]} -eq 0 ]] || say "test: servers are up in $test_folder"
}

# Counts of one result file (TRX), as "passed failed skipped".
counts_of() {
    sed -nE 's/.*<Counters total="([0-9]+)" executed="([0-9]+)" passed="([0-9]+)" failed="([0-9]+)" error="([0-9]+)".*/\1 \2 \3 \4 \5/p' "$1" |
        { read -r total executed passed failed error && say "$passed $((failed + error)) $((total - executed))"; }
}

passed=0 failed=0 skipped=0
# run_project NAME OPTIONS...: adds to the sums; a project that crashed, hung or ran no test counts as one failure.
run_project() {
    local name=$1 assembly=tests/$1/bin/Release/net10.0/MlOps.$1.dll output=$test_folder/$1.out status=0 start=$SECONDS
    local ok=0 bad=0 left_out=0 verdict=''
    shift
    run_child timeout -k 10 1800 dotnet test "$assembly" --results-directory "$test_folder/results" \
        --logger "trx;LogFileName=$name.trx" "$@" >"$output" 2>&1 </dev/null || status=$?
    if [[ -f $test_folder/results/$name.trx ]]; then
        read -r ok bad left_out < <(counts_of "$test_folder/results/$name.trx") || true
    fi
    if [[ $status -eq 124 || $status -eq 137 ]]; then
        verdict="stopped after 30 minutes" bad=$((bad + 1))
    elif [[ $status -ne 0 && $bad -eq 0 ]]; then
        verdict="crashed (code $status)" bad=1
    elif [[ $((ok + bad)) -eq 0 && $# -eq 0 ]]; then
        verdict="ran no test" bad=1
    elif [[ $((ok + bad)) -eq 0 ]]; then
        verdict="no test matches"
    fi
    printf '%-24s %4d passed %4d failed %4d skipped %5d s%s\n' \
        "$name" "$ok" "$bad" "$left_out" $((SECONDS - start)) "${verdict:+   $verdict}"
    [[ $bad -eq 0 ]] || sed 's/^/    /' "$output"
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left_out))
}

run_test() {
    local options=() wanted=() projects=() name project
    while [[ $# -gt 0 ]]; do
        case $1 in
            --filter)
                [[ $# -gt 1 ]] || fail "--filter needs an expression"
                options+=("$1" "$2")
                shift
                ;;
            -*) unknown_option test "$1" ;;
            *) wanted+=("${1%.Tests}.Tests") ;;
        esac
        shift
    done
    for name in "${wanted[@]}"; do
        [[ -f tests/$name/$name.csproj ]] || fail "there is no tests/$name"
    done
    for project in tests/*.Tests; do
        name=${project#tests/}
        [[ $name == EndToEnd.Tests ]] || projects+=("$name")
    done
    projects+=(EndToEnd.Tests) # last: it shows failures that the others explain better
    [[ ${#wanted[@]} -eq 0 ]] || projects=("${wanted[@]}")

    local parts=() # besides what the platform needs, which EndToEnd starts
    [[ -n ${MLOPS_TEST_POSTGRES:-} ]] || parts+=(postgres)
    [[ -n ${MLOPS_TEST_REDIS:-} ]] || parts+=(redis)
    [[ -n ${MLOPS_TEST_RABBITMQ:-} ]] || parts+=(rabbitmq)
    prepare "${parts[@]}"

    test_folder=$(mktemp -d)
    chmod 711 "$test_folder"
    at_end=(remove_test_servers)
    start_test_servers
    export MLOPS_TEST_REQUIRE=1
    # The addresses of a platform that people use are no business of the tests; services read MLOPS_GRPC_PORT too.
    unset MLOPS_STATE MLOPS_REST_PORT MLOPS_GRPC_PORT MLOPS_DASHBOARD_PORT
    for name in "${projects[@]}"; do run_project "$name" "${options[@]}"; done

    at_end=()
    remove_test_servers
    say "$passed passed, $failed failed$([[ $skipped -eq 0 ]] || say ", $skipped skipped")"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}
