//! The metrics page of a service.

#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

use super::{Answer, Caller, Service, eventually};
use std::net::SocketAddr;

/// The text of the metrics page at one time.
pub struct MetricsPage(pub String);

impl MetricsPage {
    /// Requests the page in the OpenMetrics format.
    pub async fn of(service: &Service) -> Self {
        let answer = Self::in_format(service, "application/openmetrics-text").await;
        assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
        Self(answer.text)
    }

    /// Requests the page in the format of an `Accept` header.
    pub async fn in_format(service: &Service, accept: &str) -> Answer {
        Self::get(service.admin, accept).await
    }

    /// Requests the page of the inspection of answers, at this admin port. Asserts that answers were inspected, and that
    /// none of them was older than promised.
    pub async fn expect_no_old_answer(admin: SocketAddr) -> Self {
        let page = Self(Self::get(admin, "application/openmetrics-text").await.text);
        assert!(page.sum("cachefront_inspected_answers_total", "") > 0.0, "no answer was inspected: {}", page.0);
        assert!(page.sum("cachefront_inspected_changes_total", "") > 0.0, "no change was inspected: {}", page.0);
        assert!(page.has("cachefront_answers_older_than_promised_total", ""), "{}", page.0);
        assert_eq!(page.sum("cachefront_answers_older_than_promised_total", ""), 0.0, "{}", page.0);
        page
    }

    async fn get(admin: SocketAddr, accept: &str) -> Answer {
        let http = Caller::plain_http();
        let answer = Answer::of(http.get(format!("http://{admin}/metrics")).header("accept", accept)).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        answer
    }

    /// Waits until the sum of the values of a name with these labels is as expected.
    pub async fn until(service: &Service, name: &str, labels: &str, expected: impl Fn(f64) -> bool) -> Self {
        eventually(&format!("{name}{{{labels}}} is as expected"), async || {
            let page = Self::of(service).await;
            (page.has(name, labels) && expected(page.sum(name, labels))).then_some(page)
        })
        .await
    }

    /// Returns the sum of all values of a name whose labels include these, written `a="b",c="d"`.
    pub fn sum(&self, name: &str, labels: &str) -> f64 {
        self.lines(name, labels).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Returns whether there is a value of a name with these labels.
    pub fn has(&self, name: &str, labels: &str) -> bool {
        self.lines(name, labels).next().is_some()
    }

    fn lines<'s>(&'s self, name: &'s str, labels: &'s str) -> impl Iterator<Item = &'s str> {
        let named = move |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
        };
        let labelled = move |line: &&str| labels.split(',').all(|label| line.contains(label));
        self.0.lines().filter(named).filter(labelled)
    }
}
