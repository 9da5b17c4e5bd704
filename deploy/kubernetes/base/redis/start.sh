#!/bin/sh
# Starts Redis with redis.conf, the options given here, and the password from $REDIS_PASSWORD_FILE.
# The password goes through standard input, because arguments are visible to everyone who can list processes.
set -eu
password=$(cat "$REDIS_PASSWORD_FILE")
# Without a password, Redis would serve everybody who reaches it. Blanks, quotes and backslashes would change the meaning of
# the lines of its configuration.
case $password in
"" | [Cc][Hh][Aa][Nn][Gg][Ee]* | *[[:space:]\"\'\\]*)
    echo "Redis does not start: $REDIS_PASSWORD_FILE must hold a password, no placeholder, without blanks, quotes and backslashes" >&2
    exit 1
    ;;
esac

exec redis-server /etc/redis/redis.conf "$@" - <<EOF
requirepass "$password"
masterauth "$password"
EOF
