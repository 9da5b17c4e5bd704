#!/bin/sh
# Sessions with sliding expiry: sh sessions.sh
#
# A session is one key with a JSON object. Each request prolongs it. Without requests it expires.
set -eu
cd "$(dirname "$0")"
. ./cachefront.sh
session_secs=1800
prefix=recipe-$(random 8):session:

# Starts a session for the user, a JSON object, and sets `session`, which is what the cookie holds.
start_session() {
    session=$(random 32)
    cache "$(jq -nc --arg key "$prefix$session" --argjson user "$1" --argjson secs "$session_secs" \
        '{command: "WRITE", key: $key, value: $user, expire: $secs}')"
}

# Sets `user` to the user of a session and prolongs it; `user` is empty if there is no such session.
find_user() {
    cache '{"command":"READ","key":"'"$prefix$1"'","touch":'"$session_secs"'}' NOT_FOUND
    user=$(field '.value // empty | tojson')
}

end_session() {
    cache '{"command":"DELETE","key":"'"$prefix$1"'"}' NOT_FOUND
}

log_in
ada='{"name":"ada","roles":["admin"]}'
start_session "$ada"
echo "login: ada has a session"

# Nearly all of the session's time is over, and then a request comes.
cache '{"command":"TOUCH","key":"'"$prefix$session"'","expire":60}'
find_user "$session"
[ "$user" = "$ada" ] || surprise "$user"
cache '{"command":"TTL","key":"'"$prefix$session"'"}'
[ "$(field .ttl)" -gt $((session_secs - 30)) ] || surprise "$reply"
echo "request: ada is logged in, and the session has all of its time again"

end_session "$session"
find_user "$session"
[ -z "$user" ] || surprise "$user"
echo "logout: the session is gone"
