#!/bin/sh
# Live counters: sh counters.sh
#
# Views are added up here for a moment, and sent as one batch. No addition of another program is lost.
set -eu
cd "$(dirname "$0")"
. ./cachefront.sh
day_secs=86400
prefix=recipe-$(random 8):views:

# Adds one for each line, the name of a page, to the counter of the page. A new counter lives for a day. Input: pages
add() {
    cache "$(jq -nRc --arg prefix "$prefix" --argjson secs "$day_secs" '[inputs] | group_by(.) |
        map({command: "INCREMENT", key: ($prefix + .[0]), by: length, expire: $secs})')"
}

# Runs a command for the keys of several pages in one request: for_pages COMMAND PAGE...
for_pages() {
    command=$1
    shift
    cache "$(jq -nc --arg command "$command" --arg prefix "$prefix" \
        '$ARGS.positional | map({command: $command, key: ($prefix + .)})' --args "$@")" NOT_FOUND
}

log_in
add << PAGES
home
prices
home
home
prices
PAGES
[ "$(field 'map(.value) | tojson')" = '[3,2]' ] || surprise "$reply"
echo "counted: 5 views of 2 pages in one request"

add << PAGES
home
PAGES
# READ has the number as a string, and a page without views is not there.
for_pages READ home prices about
field '"read: home \(.[0].value // 0), prices \(.[1].value // 0), about \(.[2].value // 0)"'

for_pages TTL home prices
[ "$(field "all(.ttl > 0 and .ttl <= $day_secs)")" = true ] || surprise "$reply"
echo "each counter ends within a day"
