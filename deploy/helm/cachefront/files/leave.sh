#!/bin/sh
# Before this pod goes: if it has the master, another pod's sentinel promotes a replica, and this waits until it did.
. "${FOLDER:-/etc/redis}/common.sh"

is_master() {
    redis-cli -h "${ADDRESS:-127.0.0.1}" info replication | grep -q '^role:master'
}

for node in $NODES; do
    is_master || exit 0
    [ "$node" != "$SELF" ] || continue
    [ "$(sentinel_of "$node" failover "$shard")" = OK ] || continue
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        is_master || exit 0
        sleep 1
    done
done
