//! Medians, the table, and whether the bars are met.

use crate::sessions::Idle;
use std::{
    collections::BTreeMap,
    fs,
    io::{Write, stderr, stdout},
};
use vmcp_tests::Era;

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// CPU seconds per 1,000 calls, of the participant's processes.
    pub(crate) cpu: f64,
    pub(crate) errors: u64,
    /// Cores that programs outside the benchmark kept busy meanwhile.
    pub(crate) foreign: f64,
}

/// Where a measurement stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) era: usize,
    pub(crate) connections: usize,
    pub(crate) at: usize,
}

pub(crate) fn order(era: Era) -> usize {
    usize::from(era == Era::Modern)
}

/// A line for whoever waits.
pub(crate) fn note(text: &str) {
    // Without a terminal nobody waits.
    let _ = writeln!(stderr(), "bench: {text}");
}

/// What ran the benchmark.
pub(crate) fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores ({model}), load average {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Prints the whole report, in Markdown. Whether every bar is met.
pub(crate) fn print(names: &[&str], samples: &BTreeMap<Cell, Vec<Sample>>, resident: &[u64], idle: Option<&Idle>) -> bool {
    let mut text = String::new();
    text.push_str(&format!("\nMachine: {}\n\n", machine()));
    text.push_str(
        "| era | connections | through | calls/s (lowest to highest) | p50 µs | p99 µs | CPU s per 1,000 calls | resident MiB | errors |\n",
    );
    text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (cell, samples) in samples {
        let era = if cell.era == 0 { "legacy" } else { "modern" };
        let low = samples.iter().map(|s| s.per_second).fold(f64::INFINITY, f64::min);
        let high = samples.iter().map(|s| s.per_second).fold(0.0, f64::max);
        let own = cell.at > 0 || names[cell.at] != "direct";
        let cpu = if own { format!("{:.3}", median(samples, |s| s.cpu)) } else { "–".to_owned() };
        let memory = if own { format!("{:.0}", resident[cell.at] as f64 / 1_048_576.0) } else { "–".to_owned() };
        text.push_str(&format!(
            "| {era} | {} | {} | {} ({} to {}) | {:.0} | {:.0} | {cpu} | {memory} | {} |\n",
            cell.connections,
            names[cell.at],
            thousands(median(samples, |s| s.per_second)),
            thousands(low),
            thousands(high),
            median(samples, |s| s.p50),
            median(samples, |s| s.p99),
            samples.iter().map(|s| s.errors).sum::<u64>(),
        ));
    }
    let foreign = samples.values().flatten().map(|sample| sample.foreign).fold(0.0, f64::max);
    text.push_str(&format!(
        "\nOther programs kept at most {foreign:.2} cores busy during a measurement (kernel time for the network included).\n"
    ));
    if let Some(idle) = idle {
        text.push_str(&idle.to_string());
    }
    text.push_str("\n| bar | measured | met |\n| --- | ---: | --- |\n");
    let bars = bars(names, samples, idle);
    for Bar { bar, measured } in &bars {
        text.push_str(&match measured {
            Some((value, true)) => format!("| {bar} | {value} | yes |\n"),
            Some((value, false)) => format!("| {bar} | {value} | **no** |\n"),
            None => format!("| {bar} | not measured | – |\n"),
        });
    }
    // A closed pipe is the reader's choice.
    let _ = stdout().write_all(text.as_bytes());
    bars.iter().all(Bar::is_met)
}

/// What vmcp has to reach: in words, and what came out, where both sides of it were measured.
struct Bar {
    bar: String,
    measured: Option<(String, bool)>,
}

impl Bar {
    fn is_met(&self) -> bool {
        self.measured.as_ref().is_some_and(|(_, met)| *met)
    }
}

fn bars(names: &[&str], samples: &BTreeMap<Cell, Vec<Sample>>, idle: Option<&Idle>) -> Vec<Bar> {
    let cell = |name: &str, era: Era, connections: usize| {
        let at = names.iter().position(|known| *known == name)?;
        samples.get(&Cell { era: order(era), connections, at }).map(Vec::as_slice)
    };
    let mut bars = Vec::new();
    for era in Era::BOTH {
        for (other, least) in [("nginx", 0.7), ("mcp-proxy", 3.5)] {
            // mcp-proxy does not answer modern calls, so there is nothing to compare with.
            if era == Era::Modern && other == "mcp-proxy" {
                continue;
            }
            let measured = cell("vmcp", era, 32).zip(cell(other, era, 32)).map(|(ours, theirs)| {
                let ratio = median(ours, |s| s.per_second) / median(theirs, |s| s.per_second);
                (format!("{ratio:.2} ×"), ratio >= least)
            });
            bars.push(Bar { bar: format!("{era:?}, 32 connections: at least {least} × {other}"), measured });
        }
        let measured = cell("vmcp-auth", era, 32).zip(cell("vmcp", era, 32)).map(|(with, without)| {
            let ratio = median(with, |s| s.per_second) / median(without, |s| s.per_second);
            (format!("{ratio:.2} ×"), ratio >= 0.8)
        });
        bars.push(Bar { bar: format!("{era:?}, 32 connections: with authentication at least 0.8 × without"), measured });
        let measured = cell("vmcp", era, 1).zip(cell("nginx", era, 1)).map(|(ours, theirs)| {
            let added = median(ours, |s| s.p50) - median(theirs, |s| s.p50);
            (format!("{added:+.0} µs"), added <= 50.0)
        });
        bars.push(Bar { bar: format!("{era:?}, 1 connection: at most 50 µs over nginx's p50"), measured });
    }
    let ours: Vec<&Sample> =
        samples.iter().filter(|(cell, _)| names[cell.at].starts_with("vmcp")).flat_map(|(_, samples)| samples).collect();
    let errors: u64 = ours.iter().map(|sample| sample.errors).sum();
    let measured = (!ours.is_empty()).then(|| (errors.to_string(), errors == 0));
    bars.push(Bar { bar: "no errors through vmcp".to_owned(), measured });
    let measured = idle.map(|idle| {
        let kib = idle.per_session() / 1024.0;
        (format!("{kib:.1} KiB"), kib <= 16.0)
    });
    bars.push(Bar { bar: "at most 16 KiB per idle session".to_owned(), measured });
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(per_second: f64) -> Vec<Sample> {
        vec![Sample { per_second, p50: 100.0, p99: 200.0, cpu: 0.1, errors: 0, foreign: 0.0 }]
    }

    #[test]
    fn a_bar_without_data_is_not_met() {
        let names = ["nginx", "vmcp"];
        let mut samples = BTreeMap::new();
        samples.insert(Cell { era: 0, connections: 32, at: 0 }, sample(100.0));
        samples.insert(Cell { era: 0, connections: 32, at: 1 }, sample(80.0));
        let bars = bars(&names, &samples, None);
        let shown: Vec<_> = bars.iter().map(|bar| (bar.bar.as_str(), bar.measured.is_some(), bar.is_met())).collect();
        assert_eq!(shown[0], ("Legacy, 32 connections: at least 0.7 × nginx", true, true));
        assert_eq!(shown[1], ("Legacy, 32 connections: at least 3.5 × mcp-proxy", false, false));
        assert_eq!(shown.iter().filter(|(_, measured, _)| *measured).count(), 2, "the ratio and the errors: {shown:?}");
    }

    #[test]
    fn authentication_may_cost_a_fifth_and_no_more() {
        let bar = "Modern, 32 connections: with authentication at least 0.8 × without";
        for (with, told, is_met) in [(80.0, "0.80 ×", true), (79.4, "0.79 ×", false)] {
            let cell = |at| Cell { era: 1, connections: 32, at };
            let samples = BTreeMap::from([(cell(0), sample(100.0)), (cell(1), sample(with))]);
            let bars = bars(&["vmcp", "vmcp-auth"], &samples, None);
            let found = bars.iter().find(|one| one.bar == bar).unwrap();
            assert_eq!((found.measured.as_ref().map(|(text, _)| text.as_str()), found.is_met()), (Some(told), is_met));
        }
    }
}
