//! The load benchmark: `cargo run --release -p vmcp-tests --bin bench`.
//!
//! One thin native backend; `tools/call` over 1 and 32 connections in both eras; straight to the backend, through nginx, vmcp, the crate
//! mcp-proxy and FastMCP's proxy. The participants take turns in every round, so that a busy moment of the machine hits all of them,
//! and the medians of the rounds are compared. Everything stays on loopback and ends by itself.
//!
//! Options: `--rounds N` (5), `--seconds S` per measurement (2), `--only NAME` (repeated), `--sessions N` (5000; 0 leaves the memory
//! of idle sessions out), `--quick` (one short round of everything).

mod load;
mod participant;
mod report;
mod sessions;

use anyhow::{Context, Result, bail, ensure};
use participant::{Backend, Participant};
use report::{Cell, Sample};
use std::{collections::BTreeMap, time::Duration};
use vmcp_tests::{Era, proc_stat};

const CONNECTIONS: [usize; 2] = [1, 32];

struct Options {
    rounds: usize,
    seconds: f64,
    only: Vec<String>,
    sessions: usize,
}

fn options() -> Result<Options> {
    let mut options = Options { rounds: 5, seconds: 2.0, only: Vec::new(), sessions: 5000 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--rounds" => options.rounds = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--only" => options.only.push(value()?),
            "--sessions" => options.sessions = value()?.parse()?,
            "--quick" => (options.rounds, options.seconds, options.sessions) = (1, 0.5, 500),
            other => bail!("no option `{other}`; see the head of tests/src/bin/bench/main.rs"),
        }
    }
    ensure!(options.rounds > 0 && options.seconds > 0.0, "at least one round of some length");
    Ok(options)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let options = options()?;
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let backend = Backend::start("b").await?;
    let mut participants = Vec::new();
    for name in participant::NAMES {
        if !wanted(name) {
            continue;
        }
        match Participant::start(name, &backend).await {
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
                    let sample = load::measure(&participants[at], era, connections, length).await?;
                    samples.entry(Cell { at, era: report::order(era), connections }).or_default().push(sample);
                }
            }
        }
    }
    let resident: Vec<u64> =
        participants.iter().map(|participant| participant.pid.map_or(0, |pid| proc_stat::resident(pid).unwrap_or(0))).collect();
    let names: Vec<&str> = participants.iter().map(|participant| participant.name).collect();
    let idle = if options.sessions > 0 && wanted("vmcp") { Some(sessions::measure(options.sessions).await?) } else { None };
    report::print(&names, &samples, &resident, idle.as_ref());
    Ok(())
}
