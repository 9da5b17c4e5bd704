# Functions of the recipes in shell, with curl and jq: . ./cachefront.sh; log_in; cache '{"command":"READ","key":"k"}'
# shellcheck shell=sh
#
# Each request is a curl of its own, with a connection of its own: send a batch where you can.
# Secrets go through standard input and the environment, because everybody on the machine can see arguments.

: "${CACHEFRONT_URL:?is the address of the service}" "${CACHEFRONT_API_KEY:?is the API key}"
export CACHEFRONT_API_KEY

post() {
    path=$1
    shift
    curl --silent --show-error --max-time 10 ${CACHEFRONT_CA:+--cacert "$CACHEFRONT_CA"} \
        --header 'Content-Type: application/json' "$@" "$CACHEFRONT_URL$path"
}

# Sets `token`. Exits if the service refuses the API key.
log_in() {
    token=$(jq -nc '{api_key: env.CACHEFRONT_API_KEY}' | post /login --fail --data-binary @- | jq -r .access_token)
    [ -n "$token" ] || exit 1
}

# Prints the reply, and the HTTP status in a line of its own.
send() {
    printf 'Authorization: Bearer %s\n' "$token" |
        post /cache --header @- --data-raw "$1" --write-out '\n%{http_code}'
}

# Sends a command, or an array of them as a batch, and sets `reply`. Exits if a status is neither SUCCESS nor OTHER:
# cache JSON [OTHER]
cache() {
    answer=$(send "$1")
    if [ "${answer##*[!0-9]}" = 401 ]; then
        # The command did not run, because the token has expired.
        log_in
        answer=$(send "$1")
    fi
    reply=$(printf '%s\n' "$answer" | sed '$d')
    printf '%s\n' "$reply" | jq -es --arg other "${2:-}" \
        'flatten(1) | length > 0 and all(.status == "SUCCESS" or .status == $other)' > /dev/null || {
        printf 'unexpected reply: %s\n' "$reply" >&2
        exit 1
    }
}

# Prints a part of the last reply: field FILTER
field() {
    printf '%s\n' "$reply" | jq -r "$1"
}

# Prints random hexadecimal digits: random BYTES
random() {
    od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'
}

# Ends the script, because something is not as it should be: surprise MESSAGE
surprise() {
    printf 'surprise: %s\n' "$1" >&2
    exit 1
}
