//! The command line.

use crate::participant::NAMES;
use anyhow::{Context, Result, bail, ensure};

pub(crate) const USAGE: &str = "\
cargo run --release -p vmcp-tests --bin bench [-- OPTIONS]

  --rounds N     how often everybody is measured (5)
  --seconds S    how long each measurement takes (2)
  --only NAME    measures only this participant: direct, nginx, vmcp, vmcp-auth, mcp-proxy or FastMCP;
                   may stand several times
  --sessions N   how many idle sessions are opened (5000); 0 leaves them out
  --quick        one short round of everything, to see that it works; its numbers mean nothing
  --help         prints this

Exit code 0 when every bar is met, 1 when one is not or was not measured, 2 for a wrong option.
";

/// What to measure.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) only: Vec<String>,
    pub(crate) sessions: usize,
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    Help,
    Run(Options),
}

/// Reads the arguments behind the program's name.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Asked> {
    let mut options = Options { rounds: 5, seconds: 2.0, only: Vec::new(), sessions: 5000 };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse().with_context(|| format!("{argument} {text}: not a number"));
        match argument.as_str() {
            "--rounds" => options.rounds = number(value()?)?,
            "--seconds" => options.seconds = value()?.parse().with_context(|| format!("{argument}: not a number"))?,
            "--only" => {
                let name = value()?;
                ensure!(NAMES.contains(&name.as_str()), "--only {name}: nobody of this name; there are {}", NAMES.join(", "));
                options.only.push(name);
            }
            "--sessions" => options.sessions = number(value()?)?,
            "--quick" => (options.rounds, options.seconds, options.sessions) = (1, 0.5, 500),
            "--help" | "-h" => return Ok(Asked::Help),
            other => bail!("no option `{other}`"),
        }
    }
    ensure!(options.rounds > 0 && options.seconds > 0.0 && options.seconds.is_finite(), "at least one round of some length is needed");
    Ok(Asked::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked> {
        read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_documentation_names_the_defaults_and_every_option() {
        let page = include_str!("../../../../docs/performance.md");
        let Asked::Run(options) = asked("").unwrap() else { panic!("no run") };
        assert!(page.contains(&format!("{} seconds after a warm-up", options.seconds)), "seconds");
        assert_eq!((options.rounds, options.sessions), (5, 5000));
        assert!(page.contains("**Rounds:** five.") && page.contains("5,000 sessions run"));
        for option in ["--rounds N", "--seconds S", "--only NAME", "--sessions N", "--quick"] {
            assert!(USAGE.contains(option));
            assert!(
                asked(&format!("{} 1", option.split(' ').next().unwrap())).is_err()
                    == ["--only", "--quick"].contains(&option.split(' ').next().unwrap())
            );
        }
    }

    #[test]
    fn what_is_asked_wrongly_is_said_in_one_line() {
        assert_eq!(asked("--rounds 1 --help").unwrap(), Asked::Help);
        for line in ["--rounds", "--rounds x", "--rounds 0", "--seconds 0", "--seconds inf", "--only nobody", "--fast"] {
            let error = format!("{:#}", asked(line).unwrap_err());
            assert!(!error.contains('\n') && !error.is_empty(), "{line}: {error}");
        }
    }
}
