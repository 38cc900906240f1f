//! The protocol authors' conformance suite: at the fixture server, through the gateway in every way there is, and with the gateway as the
//! client. Nothing is quarantined. The suite is installed once under `target/tools`.

use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use vmcp_tests::conformance::{Row, Way, listed, logins, table};

async fn passes(way: Way, revision: &'static str) -> Result<()> {
    let row = Row { way, revision };
    let outcome = row.run().await?;
    let complaints = outcome.complaints(row.wanted());
    ensure!(complaints.is_empty(), "{}, {revision}:\n{}", way.name(), complaints.join("\n"));
    let line = table::without_checks(&table::line(row, &outcome));
    let shown = table::shown(row)?;
    ensure!(
        line == shown,
        "docs/conformance.md is not current:\n{shown}\nhas to be\n{line}\n`cargo run -p vmcp-tests --bin conformance -- --write`"
    );
    Ok(())
}

macro_rules! rows {
    ($($name:ident: $way:ident, $revision:literal;)*) => {
        const TESTED: &[Row] = &[$(Row { way: Way::$way, revision: $revision },)*];
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Result<()> {
            passes(Way::$way, $revision).await
        })*
    };
}

rows! {
    the_fixture_server_is_a_server_of_2025_11_25: Direct, "2025-11-25";
    the_fixture_server_is_a_server_of_2026_07_28: Direct, "2026-07-28";
    the_gateway_with_a_backend_over_http_is_a_server_of_2025_11_25: Http, "2025-11-25";
    the_gateway_with_a_backend_over_http_is_a_server_of_2026_07_28: Http, "2026-07-28";
    the_gateway_with_a_backend_over_stdio_is_a_server_of_2025_11_25: Stdio, "2025-11-25";
    the_gateway_with_a_backend_over_stdio_is_a_server_of_2026_07_28: Stdio, "2026-07-28";
    the_gateway_with_a_modern_backend_is_a_server_of_2025_11_25: OtherEra, "2025-11-25";
    the_gateway_with_a_legacy_backend_is_a_server_of_2026_07_28: OtherEra, "2026-07-28";
    the_gateway_is_a_client_of_2025_11_25: Client, "2025-11-25";
    the_gateway_is_a_client_of_2026_07_28: Client, "2026-07-28";
}

/// Not of the gateway: the logins of which docs/conformance.md says why, and an extension that it does not carry.
fn foreign(scenario: &str, explained: &BTreeSet<String>) -> bool {
    explained.contains(scenario) || scenario.starts_with("sep-2640-")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_about_logins_passes_or_has_its_own_reason_on_the_page() -> Result<()> {
    let rows = table::not_applying()?;
    let mut explained = BTreeSet::new();
    for (name, reason) in &rows {
        ensure!(explained.insert(name.clone()), "{name} stands there twice");
        ensure!(!name.contains('*') && reason.len() > 20, "{name}: {reason}");
    }
    let passing: BTreeSet<_> = Row::ALL.into_iter().flat_map(|row| row.wanted()).filter(|name| name.starts_with("auth/")).collect();
    ensure!(passing.iter().all(|name| !explained.contains(*name)), "explained and passed: {passing:?}");
    explained.extend(passing.into_iter().map(str::to_owned));
    assert_eq!(explained, logins().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_pass_is_all_that_the_suite_lists() -> Result<()> {
    let names = |names: Vec<&str>| names.into_iter().map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    let explained: BTreeSet<String> = table::not_applying()?.into_iter().map(|(name, _)| name).collect();
    let ours = |names: BTreeSet<String>| names.into_iter().filter(|name| !foreign(name, &explained)).collect::<BTreeSet<_>>();
    for row in Row::ALL {
        let listed = listed(row.revision).await?;
        let (required, more) = match row.way {
            Way::Client => (listed.client, listed.client_more),
            _ => (listed.server, listed.server_more),
        };
        let beyond = names(row.out_of_reach().iter().map(|(name, _)| *name).collect());
        assert_eq!(names(row.wanted()).intersection(&beyond).count(), 0, "{row:?}");
        assert_eq!(names(row.required()), ours(required).difference(&beyond).cloned().collect(), "{row:?}");
        assert_eq!(names(row.more()), ours(more).difference(&beyond).cloned().collect(), "{row:?}");
    }
    Ok(())
}

#[test]
fn every_row_is_tested() {
    assert_eq!(TESTED, Row::ALL);
}
