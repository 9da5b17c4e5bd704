#!/bin/sh
# Rate limits, smooth (GCRA) and by fixed windows: sh rate_limits.sh [NAME]
#
# All programs that use the same name share its limits. Without a name, a random one is made.
set -eu
cd "$(dirname "$0")"
. ./cachefront.sh
limit=5
window_secs=3600
tries=8
name=${1:-recipe-$(random 8)}

# Takes one use and sets `wait` to 0 if it is allowed, or else to the seconds to wait, as for `Retry-After`: take KEY LIMIT PER
take() {
    cache '{"command":"RATE_LIMIT","key":"'"$1"'","limit":'"$2"',"per":'"$3"'}'
    wait=$(field 'if .allowed then 0 else .retry_after_ms / 1000 end')
}

# Takes one use of a window that starts with its first use; sets `wait` as `take` does: take_in_window KEY LIMIT PER
take_in_window() {
    cache '{"command":"INCREMENT","key":"'"$1"'","max":'"$2"',"expire":'"$3"'}' LIMITED
    wait=$(field 'if .status == "SUCCESS" then 0 else [.ttl, 1] | max end')
}

# Waits until a use is allowed, for programs that call others and should not be refused: wait_for_turn KEY LIMIT PER
wait_for_turn() {
    take "$@"
    while [ "$wait" != 0 ]; do
        sleep "$wait"
        take "$@"
    done
}

# Tries several times and sets `allowed` to the number of uses that were allowed: try TAKE KEY
try() {
    allowed=0
    for _ in $(seq "$tries"); do
        "$1" "$2" "$limit" "$window_secs"
        [ "$wait" != 0 ] || allowed=$((allowed + 1))
    done
}

log_in
try take "$name:gcra"
echo "GCRA: $allowed of $tries uses allowed"
try take_in_window "$name:window"
echo "fixed window: $allowed of $tries uses allowed"

start=$(jq -n now)
for _ in 1 2 3; do wait_for_turn "$name:turns" 2 1; done
jq -en --argjson start "$start" 'now - $start >= 0.5' > /dev/null || surprise "the third use came too early"
echo "GCRA: the third of two uses per second came half a second later"
