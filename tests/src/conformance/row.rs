//! The rows of the table: what the suite talks to, in which revision, and what has to pass there.

use super::{
    Outcome, in_front_of,
    scenarios::{BOTH, CLIENT_LEGACY, CLIENT_MODERN, CLIENT_MORE, MORE_LEGACY, MORE_MODERN, ONLY_LEGACY, ONLY_MODERN, UNTRANSLATABLE},
    suite,
};
use crate::process::{Vmcp, beside};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::Semaphore,
};

/// What the suite talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The fixture server itself: what the others are measured by.
    Direct,
    /// The gateway, with the fixture behind it over HTTP.
    Http,
    /// The gateway, with the fixture behind it as a child process.
    Stdio,
    /// The gateway, with the fixture behind it over HTTP, spoken to in the other era only: everything is translated.
    OtherEra,
    /// The suite plays the server, the gateway is its client.
    Client,
}

/// One way in one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the suite talks to.
    pub way: Way,
    /// In which revision.
    pub revision: &'static str,
}

/// How many rows run at the same time. They mostly wait; some of the suite's checks are about half seconds, so not all at once.
static PLACES: Semaphore = Semaphore::const_new(2);

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

impl Way {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "the fixture server itself",
            Self::Http => "vmcp, backend over HTTP",
            Self::Stdio => "vmcp, backend over stdio",
            Self::OtherEra => "vmcp, backend of the other era",
            Self::Client => "vmcp as the client",
        }
    }
}

impl Row {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 10] = {
        use Way::{Client, Direct, Http, OtherEra, Stdio};
        const fn row(way: Way, revision: &'static str) -> Row {
            Row { way, revision }
        }
        [
            row(Direct, LEGACY),
            row(Direct, MODERN),
            row(Http, LEGACY),
            row(Http, MODERN),
            row(Stdio, LEGACY),
            row(Stdio, MODERN),
            row(OtherEra, LEGACY),
            row(OtherEra, MODERN),
            row(Client, LEGACY),
            row(Client, MODERN),
        ]
    };

    /// The scenarios that the revision requires, without those that this way cannot pass.
    #[must_use]
    pub fn required(self) -> Vec<&'static str> {
        let modern = self.revision == MODERN;
        let all: Vec<_> = match (self.way, modern) {
            (Way::Client, false) => CLIENT_LEGACY.to_vec(),
            (Way::Client, true) => CLIENT_MODERN.to_vec(),
            (_, false) => [&BOTH[..], &ONLY_LEGACY].concat(),
            (_, true) => [&BOTH[..], &ONLY_MODERN].concat(),
        };
        all.into_iter().filter(|name| self.can(name)).collect()
    }

    /// The scenarios that run besides, without those that this way cannot pass.
    #[must_use]
    pub fn more(self) -> Vec<&'static str> {
        let all: &[&str] = match (self.way, self.revision) {
            (Way::Client, _) => &CLIENT_MORE,
            (_, MODERN) => &MORE_MODERN,
            _ => &MORE_LEGACY,
        };
        all.iter().copied().filter(|name| self.can(name)).collect()
    }

    /// Everything that has to pass.
    #[must_use]
    pub fn wanted(self) -> Vec<&'static str> {
        [self.required(), self.more()].concat()
    }

    /// What this way cannot pass, each with its reason.
    #[must_use]
    pub fn out_of_reach(self) -> &'static [(&'static str, &'static str)] {
        if self.way == Way::OtherEra && self.revision == MODERN { &UNTRANSLATABLE } else { &[] }
    }

    fn can(self, scenario: &str) -> bool {
        !self.out_of_reach().iter().any(|(name, _)| *name == scenario)
    }

    /// Runs the suite.
    ///
    /// # Errors
    /// When something cannot be started. That nothing passes is an outcome.
    pub async fn run(self) -> Result<Outcome> {
        let _place = PLACES.acquire().await?;
        if self.way == Way::Client {
            return suite::judge_client(&beside("conformance-client")?, self.revision, &self.wanted()).await;
        }
        let (fixture, backend) = match self.way {
            Way::Stdio => (None, json!({ "transport": "stdio", "command": beside("conformance-server")?, "args": ["--stdio"] })),
            _ => {
                let fixture = Fixture::start().await?;
                let backend = json!({ "url": fixture.url, "protocolEra": self.era_of_the_backend() });
                (Some(fixture), backend)
            }
        };
        if let (Way::Direct, Some(fixture)) = (self.way, &fixture) {
            return suite::judge_server(&fixture.url, self.revision).await;
        }
        let mut named = json!({ "name": "fixture" });
        if let (Some(named), Value::Object(backend)) = (named.as_object_mut(), backend) {
            named.extend(backend);
        }
        let vmcp = Vmcp::serve(in_front_of(&named)).await?;
        suite::judge_server(&vmcp.url(), self.revision).await
    }

    fn era_of_the_backend(self) -> &'static str {
        match (self.way, self.revision) {
            (Way::OtherEra, MODERN) => "legacy",
            (Way::OtherEra, _) => "modern",
            _ => "auto",
        }
    }
}

/// The fixture server in a process of its own.
struct Fixture {
    url: String,
    _child: Child,
}

impl Fixture {
    async fn start() -> Result<Self> {
        let mut command = Command::new(beside("conformance-server")?);
        command.args(["--http", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting conformance-server")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let url = BufReader::new(stdout).lines().next_line().await?.context("conformance-server ended at once")?;
        ensure!(url.starts_with("http://"), "conformance-server says {url}");
        Ok(Self { url, _child: child })
    }
}
