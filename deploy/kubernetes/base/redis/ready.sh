#!/bin/sh
# Says whether reads may come. A master is ready when it answers. A replica is ready once it holds its master's data:
# before that it would report every key as missing. It stays ready when its master goes away.
set -eu
REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE")
export REDISCLI_AUTH

# The offset is 1 until a transfer from the master has been loaded.
redis-cli info replication | tr -d '\r' \
    | grep -Eqx 'role:master|master_link_status:up|slave_repl_offset:([2-9]|[1-9][0-9]+)'
