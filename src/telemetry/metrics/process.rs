//! What the operating system knows of this process. Linux tells it in `/proc`; elsewhere it is left out.

use super::{names, page::MetricsWriter};
use std::{fmt, fs};

/// A look at the process.
#[derive(Debug, Default)]
struct Process {
    cpu_secs: Option<f64>,
    resident_bytes: Option<u64>,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
    start_secs: Option<f64>,
}

pub fn write(page: &mut MetricsWriter<'_>) -> fmt::Result {
    let process = Process::look();
    page.seconds(&names::PROCESS_CPU, process.cpu_secs.map(|secs| ([], secs)))?;
    page.gauge(&names::PROCESS_MEMORY, process.resident_bytes.map(|bytes| ([], bytes)))?;
    page.gauge(&names::PROCESS_FDS, process.open_fds.map(|count| ([], count)))?;
    page.gauge(&names::PROCESS_FDS_MAX, process.max_fds.map(|count| ([], count)))?;
    page.gauge(&names::PROCESS_START, process.start_secs.map(|secs| ([], secs)))
}

impl Process {
    #[cfg(not(target_os = "linux"))]
    fn look() -> Self {
        Self::default()
    }

    #[cfg(target_os = "linux")]
    fn look() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field, the name, may hold anything; the third one stands behind its bracket (proc(5)).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        #[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second stay far below 2^52")]
        let secs = |field: usize| {
            let ticks: u64 = fields.get(field - 3)?.parse().ok()?;
            Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
        };
        let booted = line("/proc/stat", "btime ").and_then(|secs| secs.parse::<f64>().ok());
        Self {
            cpu_secs: secs(14).zip(secs(15)).map(|(user, kernel)| user + kernel),
            resident_bytes: line("/proc/self/status", "VmRSS:").and_then(|kib| first(&kib)).map(|kib| kib * 1024),
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            max_fds: line("/proc/self/limits", "Max open files").and_then(|limits| first(&limits)),
            start_secs: booted.zip(secs(22)).map(|(booted, since)| booted + since),
        }
    }
}

/// The rest of the line that begins so.
#[cfg(target_os = "linux")]
fn line(path: &str, start: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(start)).map(|rest| rest.trim().to_owned())
}

#[cfg(target_os = "linux")]
fn first(words: &str) -> Option<u64> {
    words.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_seen_as_it_is() {
        let process = Process::look();
        let now = super::super::now_secs();
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
