//! The load benchmark: `cargo run --release -p vmcp-tests --bin bench`.
//!
//! One thin native backend; `tools/call` over 1 and 32 connections in both eras; straight to the backend, through nginx, vmcp, vmcp
//! with authentication and exchanged tokens, the crate mcp-proxy and FastMCP's proxy. The participants take turns in every round, so that a busy moment of the machine hits all of them,
//! and the medians of the rounds are compared. Everything stays on loopback and ends by itself.
//!
//! `--help` prints the options. Exit code 0 when every bar is met, 1 when one is not, or was not measured.

mod load;
mod options;
mod participant;
mod report;
mod sessions;

use anyhow::Result;
use options::{Asked, Options};
use participant::{Backend, Participant};
use report::{Cell, Sample};
use std::{
    collections::BTreeMap,
    io::{Write, stderr, stdout},
    process::ExitCode,
    thread,
    time::Duration,
};
use vmcp_tests::{Era, idp::Idp, proc_stat};

const CONNECTIONS: [usize; 2] = [1, 32];

fn main() -> ExitCode {
    // Nobody may be reading what is said below, which changes nothing.
    let options = match options::read(std::env::args().skip(1)) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => {
            let _ = stdout().write_all(options::USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = writeln!(stderr(), "bench: {error:#}; see --help");
            return ExitCode::from(2);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints the report, and tells whether every bar is met.
async fn run(options: &Options) -> Result<bool> {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let backend = Backend::start("b").await?;
    // Asked before the measurements, and never during one.
    let idp = Idp::start().await?;
    let mut participants = Vec::new();
    for name in participant::NAMES {
        if !wanted(name) {
            continue;
        }
        match Participant::start(name, &backend, &idp).await {
            Ok(participant) => participants.push(participant),
            Err(error) => report::note(&format!("{name} is left out: {error:#}")),
        }
    }
    report::note(&report::machine());
    let mut samples: BTreeMap<Cell, Vec<Sample>> = BTreeMap::new();
    for round in 0..options.rounds {
        report::note(&format!("round {} of {}", round + 1, options.rounds));
        for era in Era::BOTH {
            for connections in CONNECTIONS {
                // Every other round runs backwards, so that nobody always follows the same neighbour.
                let mut order: Vec<usize> = (0..participants.len()).filter(|&at| participants[at].speaks(era)).collect();
                if round % 2 == 1 {
                    order.reverse();
                }
                for at in order {
                    let length = Duration::from_secs_f64(options.seconds);
                    let cell = Cell { at, era: report::order(era), connections };
                    match load::measure(&participants[at], era, connections, length).await {
                        Ok(sample) => samples.entry(cell).or_default().push(sample),
                        // The others' rows are as good without this one.
                        Err(error) => report::note(&format!("{era:?}, {connections} connections: {error:#}")),
                    }
                }
            }
        }
    }
    let resident: Vec<u64> =
        participants.iter().map(|participant| participant.pid.map_or(0, |pid| proc_stat::resident(pid).unwrap_or(0))).collect();
    let names: Vec<&str> = participants.iter().map(|participant| participant.name).collect();
    let mut idle = None;
    if options.sessions > 0 && wanted("vmcp") {
        match sessions::measure(options.sessions).await {
            Ok(measured) => idle = Some(measured),
            Err(error) => report::note(&format!("idle sessions: {error:#}")),
        }
    }
    Ok(report::print(&names, &samples, &resident, idle.as_ref()))
}
