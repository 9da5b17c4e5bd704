#!/bin/sh
# A claim that one worker gets: sh claims.sh
#
# The claim ends by itself, so that a worker that died does not keep its job. It is no fencing: a worker that was stopped for
# longer than claim_secs does not notice that another one has the job.
set -eu
cd "$(dirname "$0")"
. ./cachefront.sh
claim_secs=60
prefix=recipe-$(random 8):claim:

# Sets `until` to the time until which the worker has the job, or to nothing if another one has it: claim JOB WORKER
claim() {
    started=$(date +%s)
    cache '{"command":"WRITE","key":"'"$prefix$1"'","value":"'"$2"'","if_absent":true,"expire":'"$claim_secs"'}' CONFLICT
    until=
    [ "$(field .status)" != SUCCESS ] || until=$((started + claim_secs))
}

# Ends a claim early. In its last half it is left to expire, because the DELETE could meet the claim of another worker:
# give_back JOB UNTIL
give_back() {
    [ "$(date +%s)" -ge $(($2 - claim_secs / 2)) ] || cache '{"command":"DELETE","key":"'"$prefix$1"'"}' NOT_FOUND
}

log_in
claim report "worker 1"
[ -n "$until" ] || surprise "$reply"
echo "worker 1 has the job"
until_of_first=$until

claim report "worker 2"
[ -z "$until" ] || surprise "$reply"
echo "worker 2 does not get it"

give_back report "$until_of_first"
claim report "worker 2"
[ -n "$until" ] || surprise "$reply"
echo "worker 1 gave it back, and worker 2 has it"
