#!/bin/sh
# Starts Redis in the role that the sentinels know: as a replica of their master. Where no sentinel knows a master, the
# first pod is the master.
# shellcheck source=common.sh
. "${FOLDER:-/etc/redis}/common.sh"

# A master that restarts has lost its values. It waits for 20 seconds until a replica, which has them, is promoted in its
# place. There may be no replica, so it starts as the master after that.
waits=0
known=$(master)
while [ "$known" = "$SELF" ] && [ "$waits" -lt 20 ]; do
    sleep 1
    waits=$((waits + 1))
    known=$(master)
done

known=${known:-$(first)}
if [ "$known" != "$SELF" ]; then
    set -- --replicaof "$known" 6379 "$@"
fi
# The password goes through standard input, because arguments are visible to everyone who can list processes.
exec redis-server "$folder/redis.conf" --replica-announce-ip "$SELF" "$@" - <<EOF
requirepass "$REDISCLI_AUTH"
masterauth "$REDISCLI_AUTH"
EOF
