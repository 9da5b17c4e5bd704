#!/bin/sh
# Runs before this pod stops. If it has the master, asks the sentinel of another pod to promote a replica, and waits until
# that is done.
# shellcheck source=common.sh
. "${FOLDER:-/etc/redis}/common.sh"

# The sentinel of this pod stops with it.
for node in $NODES; do
    if [ "$node" != "$SELF" ] && [ "$(sentinel_of "$node" get-master-addr-by-name "$shard" | head -n 1)" = "$SELF" ] &&
        [ "$(sentinel_of "$node" failover "$shard")" = OK ]; then
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            [ "$(sentinel_of "$node" get-master-addr-by-name "$shard" | head -n 1)" = "$SELF" ] || exit 0
            sleep 1
        done
        exit 0
    fi
done
