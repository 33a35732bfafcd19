# shellcheck shell=bash
# Where the machine's own servers and libraries are. Sourced by install.sh, the server scripts and ./mlops.
# Each function prints the path it found; it prints nothing and fails when there is none.

# The folder of PostgreSQL's programs: of major version $1 when given, else of the newest one.
find_postgres() {
    local version found=''
    while read -r version; do
        [[ -n ${1:-} && $version != "$1" ]] && continue
        [[ -x /usr/lib/postgresql/$version/bin/postgres && -x /usr/lib/postgresql/$version/bin/initdb ]] &&
            found=/usr/lib/postgresql/$version/bin
    done < <(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -V)
    [[ -n $found ]] && printf '%s\n' "$found"
}

find_redis() { command -v redis-server; }

# Not /usr/sbin/rabbitmq-server: that wrapper changes the user and writes to /var.
find_rabbitmq() {
    [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] && command -v epmd >/dev/null &&
        printf '%s\n' /usr/lib/rabbitmq/bin/rabbitmq-server
}

find_xgboost() {
    local library
    for library in /usr/lib/*/libxgboost.so.0 /usr/lib/libxgboost.so.0 /usr/local/lib/libxgboost.so.0; do
        [[ -e $library ]] && printf '%s\n' "$library" && return 0
    done
    return 1
}

find_setpriv() { command -v setpriv; }

# What can be asked for, and the Debian/Ubuntu package that brings it.
# shellcheck disable=SC2034  # used by those who source this
readonly SERVER_PARTS=(postgres redis rabbitmq xgboost setpriv)
package_of() {
    case $1 in
        postgres) echo postgresql ;;
        redis) echo redis-server ;;
        rabbitmq) echo rabbitmq-server ;;
        xgboost) echo libxgboost0 ;;
        setpriv) echo util-linux ;;
        *) return 1 ;;
    esac
}
