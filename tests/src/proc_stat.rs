//! What a process cost so far, from `/proc` (proc(5)); children included, because servers with workers have them.

use anyhow::{Context, Result};
use std::{fs, net::SocketAddr, time::Duration};

/// `USER_HZ`, in which `/proc/PID/stat` counts; 100 on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A process and all its descendants.
#[must_use]
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        next += 1;
    }
    family
}

/// User and system time of a process and its descendants.
///
/// # Errors
/// When the process is gone.
pub fn cpu(pid: u32) -> Result<Duration> {
    let mut ticks = 0;
    for pid in family(pid) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
        // The name in parentheses may hold spaces; what follows it does not. utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        for field in [11, 12] {
            ticks += fields.get(field).and_then(|field| field.parse::<u64>().ok()).context("reading /proc/PID/stat")?;
        }
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Resident memory of a process and its descendants, in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident(pid: u32) -> Result<u64> {
    let mut kib = 0;
    for pid in family(pid) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("reading VmRSS")?;
        kib += line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).context("reading VmRSS")?;
    }
    Ok(kib * 1024)
}

/// Whether the side with `local` keeps a loopback connection to `remote` open: asked about the peer, when reading from it would change
/// what it does.
#[must_use]
pub fn keeps_open(local: SocketAddr, remote: SocketAddr) -> bool {
    let (local, remote) = (format!(":{:04X}", local.port()), format!(":{:04X}", remote.port()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // sl local_address rem_address st …; 01 is ESTABLISHED.
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| matches!(fields.as_slice(), [_, from, to, "01", ..] if from.ends_with(&local) && to.ends_with(&remote)))
}

/// The time for which all cores together were busy since the machine started.
///
/// # Errors
/// When `/proc/stat` cannot be read.
pub fn machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|&field| ticks.get(field)).sum();
    Ok(Duration::from_millis(busy * 1000 / TICKS_PER_SECOND))
}
