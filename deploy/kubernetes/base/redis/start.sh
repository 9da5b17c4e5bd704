#!/bin/sh
# Starts Redis with redis.conf, the options given here, and the password from $REDIS_PASSWORD_FILE.
# The password goes through standard input, because arguments are visible to everyone who can list processes.
set -eu
password=$(cat "$REDIS_PASSWORD_FILE")

exec redis-server /etc/redis/redis.conf "$@" - <<EOF
requirepass "$password"
masterauth "$password"
EOF
