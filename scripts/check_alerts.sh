#!/bin/sh
# Checks the alert rules and runs their tests with promtool: sh scripts/check_alerts.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
command -v promtool > /dev/null || {
    missing promtool "the alert rules are not checked"
    exit
}
cd deploy/monitoring
promtool check rules --lint-fatal alerts.yaml
promtool test rules alerts_test.yaml
