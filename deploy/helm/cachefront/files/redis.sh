#!/bin/sh
# Starts Redis as what the sentinels say: a replica of their master; the first pod is the master where there is none.
. "${FOLDER:-/etc/redis}/common.sh"

# A master that comes back has lost its values. It waits until a replica, which has them, was promoted in its place;
# but not for ever, for there may be none.
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
