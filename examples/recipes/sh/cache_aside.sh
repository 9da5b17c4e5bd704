#!/bin/sh
# Values of a database, kept for a while: sh cache_aside.sh
#
# All keys are read in one request, and what is missing is loaded and written in another one. Lifetimes differ by a tenth, so
# that values that were written together do not expire together.
set -eu
cd "$(dirname "$0")"
. ./cachefront.sh
prefix=recipe-$(random 8):product:

# Stands for a database.
database='{"1":{"name":"pen","price":2},"2":{"name":"ink","price":5},"3":{"name":"nib","price":1}}'

# Prints the product with this id: from_database ID
from_database() {
    printf '%s\n' "$database" | jq -c --arg id "$1" '.[$id]'
}

# Prints a lifetime between 270 and 330 seconds.
jittered() {
    echo $((270 + $(od -An -N2 -tu2 /dev/urandom) % 61))
}

# Sets `found` to an object with the products, and `loaded` to the ids of those that had to be loaded: products ID...
products() {
    cache "$(jq -nc --arg prefix "$prefix" '$ARGS.positional | map({command: "READ", key: ($prefix + .)})' --args "$@")" NOT_FOUND
    rows=$(printf '%s\n' "$reply" | jq -c '[$ARGS.positional, .] | transpose' --args "$@")
    found=$(printf '%s\n' "$rows" | jq -c 'map(select(.[1].status == "SUCCESS") | {(.[0]): .[1].value}) | add // {}')
    loaded=$(printf '%s\n' "$rows" | jq -r 'map(select(.[1].status == "NOT_FOUND")[0]) | join(" ")')
    batch=
    for id in $loaded; do
        product=$(from_database "$id")
        found=$(printf '%s\n' "$found" | jq -c --arg id "$id" --argjson product "$product" '.[$id] = $product')
        batch="$batch $(jq -nc --arg key "$prefix$id" --argjson product "$product" --argjson secs "$(jittered)" \
            '{command: "WRITE", key: $key, value: $product, expire: $secs}')"
    done
    [ -z "$batch" ] || cache "$(printf '%s\n' "$batch" | jq -sc .)"
}

# Changes the database first, and then deletes the old value from the cache: change_price ID PRICE
change_price() {
    database=$(printf '%s\n' "$database" | jq -c --arg id "$1" --argjson price "$2" '.[$id].price = $price')
    cache '{"command":"DELETE","key":"'"$prefix$1"'"}' NOT_FOUND
}

log_in
products 1 2 3
echo "first request: $(echo "$loaded" | wc -w | tr -d ' ') of 3 products loaded"
products 1 2 3
echo "second request: $(echo "$loaded" | wc -w | tr -d ' ') of 3 products loaded"

change_price 2 6
products 1 2 3
[ "$loaded" = 2 ] || surprise "$loaded"
jq -en --argjson found "$found" --argjson database "$database" '$found == $database' > /dev/null || surprise "$found"
echo "after a change: product 2 loaded, with its new price"
