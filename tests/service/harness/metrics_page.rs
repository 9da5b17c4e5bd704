//! The metrics page of a service.

use super::{Answer, Service, eventually};

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
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = Answer::of(http.get(format!("http://{}/metrics", service.admin)).header("accept", accept)).await;
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
