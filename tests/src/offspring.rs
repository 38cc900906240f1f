//! The processes that a process started, and whether they are gone, from `/proc` (proc(5)).

use crate::proc_stat::family;
use std::{collections::BTreeSet, fs};

/// State and process group of a process; `None` when it is gone.
fn state_and_group(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; behind it come state, parent and group.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
}

/// The process groups of a process's descendants, its own left out.
#[must_use]
pub fn groups(pid: u32) -> BTreeSet<u32> {
    let group = |pid| state_and_group(pid).map(|(_, group)| group);
    let own = group(pid);
    family(pid).into_iter().skip(1).filter_map(group).filter(|&group| Some(group) != own).collect()
}

/// What still runs in one of these groups, by the words that started it. What has ended and waits for its parent does not run.
#[must_use]
pub fn running(groups: &BTreeSet<u32>) -> Vec<String> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let runs =
        pids.filter(|&pid| state_and_group(pid).is_some_and(|(state, group)| groups.contains(&group) && !matches!(&*state, "Z" | "X")));
    runs.map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")).collect()
}
