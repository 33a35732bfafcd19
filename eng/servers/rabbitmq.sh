#!/usr/bin/env bash
# rabbitmq.sh DATA_DIR PORT DIST_PORT EPMD_PORT: RabbitMQ in the foreground, data in DATA_DIR. AMQP, Erlang distribution
# and the port mapper listen on 127.0.0.1 only. MLOPS_RABBITMQ_PASSWORD is the password of the only user, `mlops`
# (administrator of vhost /); it is set at every start. MLOPS_SERVERS_DURABLE=0 has no effect here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=eng/servers/found.sh
source "$here/found.sh"
# shellcheck source=eng/servers/supervise.sh
source "$here/supervise.sh"

[[ $# -eq 4 ]] || fail "usage: rabbitmq.sh DATA_DIR PORT DIST_PORT EPMD_PORT"
require_port "$2"
require_port "$3"
require_port "$4"
require_password MLOPS_RABBITMQ_PASSWORD
rabbitmq=$(find_rabbitmq) || fail "rabbitmq-server is missing; run eng/servers/install.sh"
follow_parent "$@"
umask 077
folder=$(private_folder "$1")
port=$2 dist_port=$3 epmd_port=$4
mkdir -p "$folder/mnesia" "$folder/log"

# RabbitMQ's salted hash: base64(salt . sha256(salt . password)), salt of 4 bytes.
bytes() { printf '%b' "$(sed -E 's/../\\x&/g' <<<"$1")"; }
salt=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
digest=$({ bytes "$salt"; printf %s "$MLOPS_RABBITMQ_PASSWORD"; } | sha256sum | cut -d' ' -f1)
password_hash=$(bytes "$salt$digest" | base64 -w0)
unset MLOPS_RABBITMQ_PASSWORD

# Definitions are read at every start; where they are given, the user guest is never made.
cat >"$folder/definitions.json" <<JSON
{
  "vhosts": [{ "name": "/" }],
  "users": [{ "name": "mlops", "password_hash": "$password_hash",
              "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "administrator" }],
  "permissions": [{ "user": "mlops", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" }]
}
JSON

# A quarter of the machine's memory, but never less than 256 MiB nor more than 1 GiB, before publishers are slowed.
memory=$(awk '/^MemTotal:/ { m = int($2 / 4096); print (m < 256 ? 256 : m > 1024 ? 1024 : m) }' /proc/meminfo)
cat >"$folder/rabbitmq.conf" <<CONF
listeners.tcp.local = 127.0.0.1:$port
load_definitions = $folder/definitions.json
# A message is acknowledged when its work is done, and a training trial may take a day.
consumer_timeout = 86400000
vm_memory_high_watermark.absolute = ${memory}MiB
disk_free_limit.absolute = 200MB
log.file = false
log.console = true
log.console.level = warning
log.console.use_colors = off
CONF
printf '[].\n' >"$folder/enabled_plugins"

export HOME=$folder   # the Erlang cookie is made here
export ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP_SECONDS=0
export RABBITMQ_NODENAME=mlops@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$port
export RABBITMQ_DIST_PORT=$dist_port RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder/log
export RABBITMQ_ENABLED_PLUGINS_FILE=$folder/enabled_plugins RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf
export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_PID_FILE=$folder/rabbitmq.pid
# No busy waiting of Erlang's schedulers: the services need the cores.
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false \
+sbwt none +sbwtdcpu none +sbwtdio none"
export RUNNING_UNDER_SYSTEMD=true   # so that the start script becomes the server instead of its parent
export RABBITMQ_LOG=warning,-color   # also before the configuration is read
unset LOGS NOTIFY_SOCKET

start epmd -port "$epmd_port" -address 127.0.0.1
start "$rabbitmq"
supervise TERM
