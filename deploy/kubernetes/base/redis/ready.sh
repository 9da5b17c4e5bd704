#!/bin/sh
# Succeeds if this node can answer reads. A master is ready when it answers. A replica is ready once it holds the data of
# its master: before that it would report every key as missing. It stays ready when its master is lost.
set -eu
REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE")
export REDISCLI_AUTH

# The offset is 1 until a transfer from the master has been loaded.
redis-cli info replication | tr -d '\r' \
    | grep -Eqx 'role:master|master_link_status:up|slave_repl_offset:([2-9]|[1-9][0-9]+)'
