//! Command lines that are wrong, and variables that stand for flags.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use support::Folder;

fn usage(line: &str) -> String {
    Folder::new(&[]).vmcp(&line.split(' ').collect::<Vec<_>>()).usage()
}

#[test]
fn a_wrong_command_line_is_one_line_that_says_what_to_write() {
    for (given, said) in [
        ("serv", "no command `serv`; did you mean `serve`?"),
        ("nonsense", "no command `nonsense`; see `vmcp --help`"),
        ("tools nonsense", "no command `nonsense`; see `vmcp tools --help`"),
        ("help nonsense", "no command `nonsense`; see `vmcp --help`"),
        ("--color never", "no command is given; see `vmcp --help`"),
        ("serve --prot 8", "unexpected argument `--prot`; did you mean `--port`?"),
        ("--port 8 serve", "unexpected argument `--port`; did you mean `vmcp serve --port`?"),
        ("serve --nonsense", "unexpected argument `--nonsense`; see `vmcp serve --help`"),
        ("serve team.yaml", "unexpected argument `team.yaml`; see `vmcp serve --help`"),
        ("serve --port", "`--port` needs a value; see `vmcp serve --help`"),
        ("serve --port 99999", "`99999` cannot be the value of `--port`; write a number from 0 to 65535"),
        ("serve --port 1 --port 2", "`--port` is given more than once; give it once"),
        ("serve --host gw", "`gw` cannot be the value of `--host`; write an IP address, for example 127.0.0.1 or 0.0.0.0"),
        ("serve --backend a", "`a` cannot be the value of `--backend`; write NAME=URL, for example github=https://mcp.example.com/mcp"),
        ("serve --workers 0", "`0` cannot be the value of `--workers`; write a number from 1 to 1024"),
        ("serve --workers 1025", "`1025` cannot be the value of `--workers`; write a number from 1 to 1024"),
        ("serve --log-format xml", "`xml` cannot be the value of `--log-format`; write text or json"),
        (
            "serve --log-level loud",
            "`loud` cannot be the value of `--log-level`; write off, error, warn, info, debug or trace, or a filter such as \
             vmcp_backend=debug",
        ),
        ("validate --color alway", "`alway` cannot be the value of `--color`; did you mean `always`?"),
        ("validate --strict=1", "`--strict` takes no value; see `vmcp validate --help`"),
        ("validate a.yaml --config b.yaml", "`FILE` does not go together with `--config`; leave one out"),
        ("completions", "SHELL is missing; see `vmcp completions --help`"),
        (
            "tools ls --url notaurl",
            "`notaurl` cannot be the value of `--url`; write an http:// or https:// URL, for example http://127.0.0.1:4483/mcp",
        ),
    ] {
        assert_eq!(usage(given), said, "{given}");
    }
}

#[test]
fn a_line_is_one_whatever_was_given() {
    let folder = Folder::new(&[]);
    assert_eq!(folder.vmcp(&["no\nsense"]).usage(), "no such command; see `vmcp --help`");
    assert_eq!(folder.vmcp(&["serve", "--no\x1bsense"]).usage(), "unexpected argument; see `vmcp serve --help`");
    let error = folder.vmcp(&["headers", "explain", "-H", "@no\nfile"]).error();
    assert_eq!(error, r"-H @no\nfile: cannot read the file: No such file or directory (os error 2)");
    #[cfg(unix)]
    {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let words = [OsStr::new("serve"), OsStr::new("--path"), OsStr::from_bytes(b"/\xff")];
        assert_eq!(folder.vmcp_os(&words).usage(), "an argument is not UTF-8; see `vmcp serve --help`");
    }
}

#[test]
fn what_has_no_meaning_is_refused_rather_than_ignored() {
    for given in ["-c vmcp.yaml", "--config vmcp.yaml", "--backend a=http://a/", "--passthrough-header x-a"] {
        let said = usage(&format!("tools ls --url http://127.0.0.1:1/mcp {given}"));
        assert!(said.starts_with("`--url` does not go together with `--"), "{said}");
    }
    for command in ["tools ls", "tools count", "tools call x", "headers explain", "tools ls --url http://127.0.0.1:1/mcp"] {
        for flag in ["--host", "--port", "--path", "--allowed-host", "--allowed-origin"] {
            let said = usage(&format!("{command} {flag} 1"));
            assert!(said.starts_with(&format!("unexpected argument `{flag}`; ")), "{command} {flag}: {said}");
        }
    }
}

#[test]
fn what_may_be_a_secret_is_not_repeated() {
    for given in [
        "tools ls -H x-key: hunter2",
        "tools call x {} -H x-key: hunter2",
        "headers explain -H x-key: hunter2",
        "headers explain a.yaml -H x-key: hunter2",
        "tools ls --url https://user:hunter2@[/",
        "serve --backend hunter2@example.com",
        "serve --nonsense=hunter2",
        "serve x-key:hunter2",
    ] {
        let said = usage(given);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn help_and_version_are_as_long_as_they_need_to_be() {
    let folder = Folder::new(&[]);
    for given in [&["--help"][..], &["help", "serve"], &["serve", "-h"], &["tools", "call", "--help"]] {
        let help = folder.vmcp(given).good();
        assert!(help.contains("Usage: vmcp") && help.contains("Options:"), "{help}");
        assert!(!help.contains('\x1b'), "{help}");
    }
    for given in [&[][..], &["tools"], &["headers"]] {
        let ended = folder.vmcp(given);
        assert!(ended.code == 2 && ended.stderr.contains("Commands:"), "{}", ended.stderr);
    }
    assert!(folder.vmcp(&["--color", "always", "--help"]).good().contains('\x1b'));
}

#[test]
fn colour_is_for_wrong_command_lines_what_it_is_for_all_else() {
    let folder = Folder::new(&[]);
    let said = folder.vmcp(&["nonsense", "--color", "always"]).stderr;
    assert_eq!(said, "\x1b[1;31merror\x1b[0m: no command `nonsense`; see `vmcp --help`\n");
    for plain in [&["nonsense", "--color=never"][..], &["--color=never", "serve", "--port", "x"], &["nonsense"]] {
        assert!(!folder.vmcp(plain).stderr.contains('\x1b'));
    }
}

const GOOD: &str = "backends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n";

#[test]
fn a_file_on_the_command_line_wins_over_the_variable() {
    let folder = Folder::new(&[("ok.yaml", GOOD), ("two.yaml", GOOD), ("vmcp.yaml", GOOD)]);
    let checked = |variable: &str, more: &[&str]| folder.vmcp_in(&[("VMCP_CONFIG", variable)], &[&["validate"], more].concat()).good();
    assert_eq!(checked("ok.yaml", &[]), "ok.yaml: ok, 1 backend\n");
    assert_eq!(checked("ok.yaml", &["two.yaml"]), "two.yaml: ok, 1 backend\n");
    assert_eq!(checked("none.yaml", &["--config", "two.yaml"]), "two.yaml: ok, 1 backend\n");
    assert_eq!(checked("", &[]), "vmcp.yaml: ok, 1 backend\n");
    let asked = folder.vmcp_in(&[("VMCP_CONFIG", "ok.yaml")], &["tools", "ls", "--url", "http://127.0.0.1:1/mcp"]).error();
    assert!(asked.starts_with("http://127.0.0.1:1/mcp: connect failed: "), "{asked}");
}

#[test]
fn variables_of_the_log_stand_for_its_flags_and_empty_ones_for_nothing() {
    let folder = Folder::new(&[("vmcp.yaml", GOOD)]);
    let serve = ["serve", "--port", "0"];
    let line = |environment: &[(&str, &str)], more: &[&str]| {
        let mut running = folder.start_in(environment, &[&serve, more].concat());
        running.url();
        running.heard.clone()
    };
    assert!(line(&[("VMCP_LOG_FORMAT", "json"), ("VMCP_LOG_LEVEL", "warn")], &[]).starts_with('{'));
    assert!(!line(&[("VMCP_LOG_FORMAT", ""), ("VMCP_LOG_LEVEL", "")], &[]).starts_with('{'));
    assert!(!line(&[("VMCP_LOG_FORMAT", "json")], &["--log-format", "text"]).starts_with('{'));
    let wrong = |name| folder.vmcp_in(&[(name, "hunter2")], &serve).usage();
    assert_eq!(wrong("VMCP_LOG_FORMAT"), "VMCP_LOG_FORMAT: write text or json, or unset it");
    assert!(wrong("VMCP_LOG_LEVEL").starts_with("VMCP_LOG_LEVEL: write off, error, warn, "));
}
