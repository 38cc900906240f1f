//! A fixture server as a process: for tests that kill one, and for the benchmark.
//!
//! `fixture [--name NAME] [--era legacy|modern|both] [--port N] [--sse]` prints `listening on URL` and serves until it is killed.

use anyhow::{Context, Result, bail};
use std::io::Write;
use vmcp_tests::fixture::{Eras, Fixture, Spec};

#[tokio::main]
async fn main() -> Result<()> {
    let mut spec = Spec::both("fixture").unrecorded();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--name" => spec.name = value()?,
            "--port" => spec.port = value()?.parse()?,
            "--sse" => spec.sse = true,
            "--era" => {
                spec.eras = match value()?.as_str() {
                    "legacy" => Eras::Legacy,
                    "modern" => Eras::Modern,
                    "both" => Eras::Both,
                    other => bail!("no era `{other}`"),
                }
            }
            other => bail!("no option `{other}`"),
        }
    }
    let fixture = Fixture::start(spec).await?;
    writeln!(std::io::stdout(), "listening on {}", fixture.url())?;
    std::future::pending().await
}
