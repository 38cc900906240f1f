//! What runs in a folder, from `/proc` (proc(5)): how a test that starts servers in a folder of its own finds what is left of them, whoever
//! their parents and their groups are by now.

use std::{fs, path::Path};

/// What runs in this folder or below it, by the words that started it. What has ended and waits for its parent does not run.
#[must_use]
pub fn working_in(folder: &Path) -> Vec<String> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let there = processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|at| at.starts_with(&folder)));
    there.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ")).collect()
}
