#!/bin/sh
# Checks the alert rules and runs their tests, where there is a promtool: sh scripts/check_alerts.sh
set -eu
cd "$(dirname "$0")/../deploy/monitoring"
command -v promtool > /dev/null || {
    echo "skipped: there is no promtool to check the alerts with"
    exit 0
}
promtool check rules --lint-fatal alerts.yaml
promtool test rules alerts_test.yaml
