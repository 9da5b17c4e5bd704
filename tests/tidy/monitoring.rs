//! Every alert is tested and explained.

use crate::sources::read;

#[test]
fn every_alert_has_a_test_and_a_section_in_the_operations_manual() {
    let (alerts, tests) = (read("deploy/monitoring/alerts.yaml"), read("deploy/monitoring/alerts_test.yaml"));
    let page = read("docs/operations.md");
    let parts: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(parts.len() > 10, "{alerts}");
    for alert in parts {
        let name = alert.lines().next().unwrap_or_default();
        for field in ["expr:", "severity:", "summary:", "description:"] {
            assert!(alert.contains(field), "{name} has no {field}");
        }
        let section = format!("runbook_url: https://cachefront.invalid/docs/operations.md#{}", name.to_lowercase());
        assert!(alert.contains(&section), "{name} does not say {section}");
        assert!(page.contains(&format!("\n## {name}\n")), "docs/operations.md does not explain {name}");
        assert!(tests.contains(&format!("{{alertname=\"{name}\"")), "{name} has no test that it fires");
    }
}
