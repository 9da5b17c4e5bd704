#!/bin/sh
# Starts the sentinel of this pod. Its state survives a restart of the container, but not of the pod.
# shellcheck source=common.sh
. "${FOLDER:-/etc/redis}/common.sh"

if [ ! -e "$data/sentinel.conf" ]; then
    # A sentinel does not start while the host name of its master cannot be resolved.
    known=$(master)
    until timeout 3 redis-cli -h "${known:=$(first)}" ping > /dev/null 2>&1; do
        sleep 1
        known=$(master)
    done
    umask 077
    cat > "$data/sentinel.conf.new" <<EOF
port 26379
dir $data
requirepass "$REDISCLI_AUTH"
sentinel sentinel-pass "$REDISCLI_AUTH"
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $SELF
sentinel monitor $shard $known 6379 $(($(echo "$NODES" | wc -w) / 2 + 1))
sentinel auth-pass $shard $REDISCLI_AUTH
sentinel down-after-milliseconds $shard 3000
sentinel failover-timeout $shard 10000
sentinel parallel-syncs $shard 1
EOF
    mv "$data/sentinel.conf.new" "$data/sentinel.conf"
fi
exec redis-server "$data/sentinel.conf" --sentinel "$@"
