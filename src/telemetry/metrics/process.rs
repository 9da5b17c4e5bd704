//! The metrics of the process that Linux shows in `/proc`. On other systems they are absent.

use super::{names, writer::MetricsWriter};
use std::{fmt, fs};

/// The resources of the process at one time.
#[derive(Debug, Default)]
struct ProcessUsage {
    /// User and kernel time, in seconds.
    cpu_secs: Option<f64>,
    /// Memory in use.
    resident_bytes: Option<u64>,
    /// Number of open file descriptors.
    open_fds: Option<u64>,
    /// Maximum number of open file descriptors.
    max_fds: Option<u64>,
    /// Start of the process, in seconds since 1970.
    start_secs: Option<f64>,
}

/// Writes the metrics of the process.
pub fn write(writer: &mut MetricsWriter<'_>) -> fmt::Result {
    let process = ProcessUsage::read();
    writer.seconds(&names::PROCESS_CPU, process.cpu_secs.map(|secs| ([], secs)))?;
    writer.gauge(&names::PROCESS_MEMORY, process.resident_bytes.map(|bytes| ([], bytes)))?;
    writer.gauge(&names::PROCESS_FDS, process.open_fds.map(|count| ([], count)))?;
    writer.gauge(&names::PROCESS_FDS_MAX, process.max_fds.map(|count| ([], count)))?;
    writer.gauge(&names::PROCESS_START, process.start_secs.map(|secs| ([], secs)))
}

impl ProcessUsage {
    #[cfg(not(target_os = "linux"))]
    fn read() -> Self {
        Self::default()
    }

    #[cfg(target_os = "linux")]
    fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field, the name in brackets, may contain spaces and brackets; the third one follows it (proc(5)).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let booted = line("/proc/stat", "btime ").and_then(|secs| secs.parse::<f64>().ok());
        Self {
            cpu_secs: seconds(&fields, 14).zip(seconds(&fields, 15)).map(|(user, kernel)| user + kernel),
            resident_bytes: line("/proc/self/status", "VmRSS:").and_then(|kib| first(&kib)).map(|kib| kib * 1024),
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            max_fds: line("/proc/self/limits", "Max open files").and_then(|limits| first(&limits)),
            start_secs: booted.zip(seconds(&fields, 22)).map(|(booted, since)| booted + since),
        }
    }
}

/// Returns a field of `/proc/self/stat`, counted from 1, as seconds. `fields` begins with the third field.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second stay far below 2^52")]
fn seconds(fields: &[&str], number: usize) -> Option<f64> {
    let ticks: u64 = fields.get(number - 3)?.parse().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Returns the rest of the first line of a file that begins with `start`.
#[cfg(target_os = "linux")]
fn line(path: &str, start: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(start)).map(|rest| rest.trim().to_owned())
}

/// Returns the first word as a number.
#[cfg(target_os = "linux")]
fn first(words: &str) -> Option<u64> {
    words.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::telemetry::metrics::unix_time::now_secs;

    #[test]
    fn the_metrics_of_the_test_process_are_plausible() {
        let process = ProcessUsage::read();
        let now = now_secs();
        assert!(process.cpu_secs.is_some_and(|secs| (0.0..1e6).contains(&secs)), "{process:?}");
        assert!(process.resident_bytes.is_some_and(|bytes| (1 << 20..1 << 36).contains(&bytes)), "{process:?}");
        assert!(
            process.open_fds.zip(process.max_fds).is_some_and(|(open, most)| 2 < open && open < most),
            "{process:?}"
        );
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let age_secs = now as f64 - process.start_secs.expect("a start");
        assert!((-2.0..100_000.0).contains(&age_secs), "{process:?}");
    }
}
