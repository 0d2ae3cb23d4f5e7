//! What the system says about this process, where it says it as Linux does (`proc(5)`).

use std::fmt;
use std::fs;

use super::text::Text;

/// Ticks in a second of `/proc/self/stat`, the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

pub(super) fn write(text: &mut Text<'_>) -> fmt::Result {
    if let Some(bytes) = read("status").and_then(|status| kibibytes(&status, "VmRSS:")) {
        text.gauge("process_resident_memory_bytes", "Memory that the process has in RAM", bytes)?;
    }
    if let Some(seconds) = read("stat").and_then(|stat| processor_time(&stat)) {
        let mut spent =
            text.counters("process_cpu_seconds", "Time that processors worked for the process")?;
        spent.seconds(seconds)?;
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        let count = u64::try_from(open.count()).unwrap_or(u64::MAX).saturating_sub(1);
        text.gauge("process_open_fds", "Files, sockets and pipes that the process has open", count)?;
    }
    if let Some(most) = read("limits").and_then(|limits| most_files(&limits)) {
        text.gauge("process_max_fds", "As many may it have open", most)?;
    }
    Ok(())
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{file}")).ok()
}

/// A line such as `VmRSS:   12345 kB`, in bytes.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// User and system time, the 14th and 15th field. The second one is the program's name in brackets, which may hold
/// blanks.
fn processor_time(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some((ticks()? + ticks()?) / TICKS)
}

/// The soft limit of open files.
fn most_files(limits: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        let status = "Name:\tcreator vault\nVmHWM:\t   20000 kB\nVmRSS:\t   14336 kB\nThreads:\t9\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(14 << 20));
        assert_eq!(kibibytes("Name:\tx\n", "VmRSS:"), None);
        let stat = "42 (creator) vault) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 1 2 3";
        assert_eq!(processor_time(stat), Some(3.0));
        assert_eq!(processor_time("42 (x) S 1"), None);
        let limits = "Limit Soft Limit Hard Limit Units\nMax open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024));
        assert_eq!(
            most_files("Max open files            unlimited            unlimited            files"),
            None
        );
    }
}
