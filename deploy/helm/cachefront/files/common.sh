# Functions and variables of the other scripts. NODES has the names of all pods, SELF the name of this pod.
# shellcheck shell=sh disable=SC2034
set -eu
REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE")
# Without a password, Redis would serve everybody who reaches it. Blanks, quotes and backslashes would change the meaning of
# the lines of its configuration.
case $REDISCLI_AUTH in
"" | [Cc][Hh][Aa][Nn][Gg][Ee]* | *[[:space:]\"\'\\]*)
    echo "Redis does not start: $REDIS_PASSWORD_FILE must hold a password, no placeholder, without blanks, quotes and backslashes" >&2
    exit 1
    ;;
esac
export REDISCLI_AUTH
folder=${FOLDER:-/etc/redis}
data=${DATA:-/data}
shard=cachefront

sentinel_of() {
    node=$1
    shift
    timeout 3 redis-cli -h "$node" -p 26379 sentinel "$@" 2> /dev/null
}

# Prints the master that most of the answering sentinels name, or nothing if none answers.
master() {
    for node in $NODES; do
        sentinel_of "$node" get-master-addr-by-name "$shard" | head -n 1
    done | grep -Fx "$(echo "$NODES" | tr ' ' '\n')" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }'
}

first() {
    echo "${NODES%% *}"
}
