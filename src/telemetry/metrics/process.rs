//! The metrics of the process that Linux shows in `/proc`. On other systems they are absent.

use super::{names, writer::MetricsWriter};
#[cfg(target_os = "linux")]
use std::path::Path;
use std::{fmt, fs};

/// The resources of the process at one time.
#[derive(Debug, Default)]
pub struct ProcessUsage {
    /// User and kernel time, in seconds.
    pub cpu_secs: Option<f64>,
    /// Memory in use.
    pub resident_bytes: Option<u64>,
    /// The limit of the container on memory, else the memory of the machine.
    pub memory_limit_bytes: Option<u64>,
    /// Number of open file descriptors.
    pub open_fds: Option<u64>,
    /// Maximum number of open file descriptors.
    pub max_fds: Option<u64>,
    /// Start of the process, in seconds since 1970.
    pub start_secs: Option<f64>,
}

/// Writes the metrics of the process.
pub fn write(writer: &mut MetricsWriter<'_>) -> fmt::Result {
    let process = ProcessUsage::read();
    writer.seconds(&names::PROCESS_CPU, process.cpu_secs.map(|secs| ([], secs)))?;
    writer.gauge(&names::PROCESS_MEMORY, process.resident_bytes.map(|bytes| ([], bytes)))?;
    writer.gauge(&names::MEMORY_LIMIT, process.memory_limit_bytes.map(|bytes| ([], bytes)))?;
    writer.gauge(&names::PROCESS_FDS, process.open_fds.map(|count| ([], count)))?;
    writer.gauge(&names::PROCESS_FDS_MAX, process.max_fds.map(|count| ([], count)))?;
    writer.gauge(&names::PROCESS_START, process.start_secs.map(|secs| ([], secs)))
}

impl ProcessUsage {
    /// Reads the use of resources by this process at this moment.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Self {
        Self::default()
    }

    /// Reads the use of resources by this process at this moment.
    #[cfg(target_os = "linux")]
    pub fn read() -> Self {
        Self {
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
            max_fds: line("/proc/self/limits", "Max open files").and_then(|limits| first(&limits)),
            ..Self::without_files()
        }
    }

    /// Reads as [`Self::read`] does, without the open files: to count many of them takes milliseconds.
    #[cfg(not(target_os = "linux"))]
    pub fn without_files() -> Self {
        Self::default()
    }

    /// Reads as [`Self::read`] does, without the open files: to count many of them takes milliseconds.
    #[cfg(target_os = "linux")]
    pub fn without_files() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field, the name in brackets, may contain spaces and brackets; the third one follows it (proc(5)).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let booted = line("/proc/stat", "btime ").and_then(|secs| secs.parse::<f64>().ok());
        Self {
            cpu_secs: seconds(&fields, 14).zip(seconds(&fields, 15)).map(|(user, kernel)| user + kernel),
            resident_bytes: line("/proc/self/status", "VmRSS:").and_then(|kib| first(&kib)).map(|kib| kib * 1024),
            memory_limit_bytes: memory_limit_bytes(),
            open_fds: None,
            max_fds: None,
            start_secs: booted.zip(seconds(&fields, 22)).map(|(booted, since)| booted + since),
        }
    }
}

/// Returns the least limit on memory of the control group of this process and of the groups around it, else the memory of
/// the machine.
#[cfg(target_os = "linux")]
fn memory_limit_bytes() -> Option<u64> {
    let machine = line("/proc/meminfo", "MemTotal:").and_then(|kib| first(&kib)).map(|kib| kib * 1024);
    // Version 2 has one line, `0::/path`; in a container the path is mostly `/`. Version 1 names the controller.
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(|group| {
        let (controllers, path) = group.split_once(':')?.1.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let around = Path::new(path).ancestors().filter_map(|path| path.strip_prefix("/").ok());
        // Without a limit the file says `max`, or in version 1 a number beyond all memory.
        around
            .filter_map(|path| fs::read_to_string(Path::new(root).join(path).join(file)).ok()?.trim().parse().ok())
            .min()
    });
    limits.chain(machine).min()
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
        assert!(process.memory_limit_bytes > process.resident_bytes, "{process:?}");
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let age_secs = now as f64 - process.start_secs.expect("a start");
        assert!((-2.0..100_000.0).contains(&age_secs), "{process:?}");
    }
}
