//! The text formats of `/metrics`. Metrics are written family by family for each scrape.

use super::{
    histogram::Distribution,
    names::{ALL, Metric, MetricKind},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use std::{
    fmt::{self, Write},
    iter::zip,
};

/// The metrics of one scrape target, in the order in which they were added.
#[derive(Default)]
pub struct Exposition(Registry);

impl Exposition {
    /// Adds metrics; `write` writes them for each scrape.
    pub fn add(&mut self, write: impl Fn(&mut MetricsWriter<'_>) -> fmt::Result + Send + Sync + 'static) {
        self.0.register_collector(Box::new(MetricsSource(write)));
    }

    /// Returns the metrics in the text format of `OpenMetrics` 1.0.
    pub fn open_metrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0)?;
        Ok(text)
    }

    /// Returns the metrics in the older text format of Prometheus, 0.0.4.
    pub fn plain(&self) -> Result<String, fmt::Error> {
        let text = self.open_metrics()?;
        let mut plain = String::with_capacity(text.len());
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some("UNIT" | "EOF"), ..) => {}
                // The older format has the whole name of the metric here, suffix included.
                (Some("#"), Some(keyword), Some(family), Some(rest)) => {
                    let name = ALL.iter().find(|metric| metric.family() == family).map_or(family, |metric| metric.name);
                    let rest = if rest == "info" { "gauge" } else { rest };
                    writeln!(plain, "# {keyword} {name} {rest}")?;
                }
                _ => writeln!(plain, "{line}")?,
            }
        }
        Ok(plain)
    }
}

/// A function that writes metrics, as a collector of prometheus-client.
struct MetricsSource<F>(F);

impl<F> fmt::Debug for MetricsSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsSource")
    }
}

impl<F: Fn(&mut MetricsWriter<'_>) -> fmt::Result + Send + Sync + 'static> Collector for MetricsSource<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut MetricsWriter(encoder))
    }
}

/// Writes metrics. Each metric is written once, with all its rows.
pub struct MetricsWriter<'a>(DescriptorEncoder<'a>);

/// The labels of a row: names and values, in the order of the metric's list.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl MetricsWriter<'_> {
    /// Writes a counter with a row for each set of label values.
    pub fn counter<'l, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], u64)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    /// Writes a counter of seconds.
    pub fn seconds<'l, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], f64)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    /// Writes a gauge with a row for each set of label values.
    pub fn gauge<'l, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], V)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_gauge(&value))
    }

    /// Writes a histogram with a row for each set of label values.
    pub fn histogram<'l, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], Distribution)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, read| {
            encoder.encode_histogram::<NoLabelSet>(read.sum_secs(), read.count(), &read.rows(), None)
        })
    }

    /// Writes a metric that consists of its labels only.
    pub fn info<const N: usize>(&mut self, metric: &Metric, values: [&str; N]) -> fmt::Result {
        // A family does not work here: the encoder would put a comma before the labels of the row.
        self.begin(metric, None)?.encode_info(&labels(metric, values))
    }

    fn rows<'l, V, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], V)>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let unit = metric.unit().map(|unit| Unit::Other(unit.to_owned()));
        let mut encoder = self.begin(metric, unit.as_ref())?;
        for (values, value) in rows {
            let labels = labels(metric, values);
            if labels.is_empty() {
                write(&mut encoder, value)?;
            } else {
                write(&mut encoder.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }

    fn begin<'s>(&'s mut self, metric: &'s Metric, unit: Option<&'s Unit>) -> Result<MetricEncoder<'s>, fmt::Error> {
        // The encoder appends the unit to the name.
        let family = metric.family();
        let name = metric.unit().and_then(|unit| family.strip_suffix(unit)?.strip_suffix('_')).unwrap_or(family);
        self.0.encode_descriptor(name, metric.help, unit, kind_of(metric))
    }
}

fn labels<'l, const N: usize>(metric: &Metric, values: [&'l str; N]) -> Labels<'l> {
    debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
    zip(metric.labels.iter().copied(), values).collect()
}

fn kind_of(metric: &Metric) -> MetricType {
    match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
        MetricKind::Info => MetricType::Info,
    }
}
