//! What a server sees of the environment.

use super::Program;
use bytes::Bytes;
use http::HeaderValue;
use secrecy::ExposeSecret;
use std::{collections::BTreeMap, ffi::OsString, fmt};

/// Variables of vmcp's own that every program is given: what hardly any can do without, and what the operator says once for all
/// programs of a machine. A `*` at the end stands for anything; the names are compared without regard to case.
const INHERITED: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TERM",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "__CF_USER_TEXT_ENCODING",
];

/// What programs cannot do without on Windows.
const INHERITED_ON_WINDOWS: [&str; 21] = [
    "ALLUSERSPROFILE",
    "APPDATA",
    "COMMONPROGRAMFILES*",
    "COMPUTERNAME",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES*",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
];

/// A caller's variables: names and values, as the header policy gives them.
pub(crate) type CallerVariables = Vec<(String, HeaderValue)>;

/// Everything that one process is given. `Debug` shows names alone.
#[derive(Default)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// The values that nobody is to read in a log, with their variables' names.
    secrets: Vec<(String, Bytes)>,
}

impl Environment {
    /// The environment of `program` for a caller, out of vmcp's `own`. What comes later wins: inherited, `env`, the caller's.
    pub(crate) fn new(program: &Program, own: impl Iterator<Item = (OsString, OsString)>, caller: &CallerVariables) -> Self {
        let mut made = Self::default();
        let named = |name: &str| program.env_passthrough.iter().any(|passed| passed == name);
        made.variables.extend(own.filter(|(name, _)| name.to_str().is_some_and(|name| is_inherited(name) || named(name))));
        // A proxy's address may have a password in it.
        let proxies = made.variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
        let proxies = proxies.filter(|(name, _)| name.to_ascii_uppercase().ends_with("_PROXY"));
        let proxies: Vec<_> = proxies.map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value.as_encoded_bytes()))).collect();
        made.secrets.extend(proxies);
        for name in &program.env_passthrough {
            if let Some(value) = made.variables.get(&OsString::from(name)) {
                let value = Bytes::copy_from_slice(value.as_encoded_bytes());
                made.secrets.push((name.clone(), value));
            }
        }
        for (name, value) in &program.env {
            made.variables.insert(name.into(), value.expose_secret().into());
            made.secrets.push((name.clone(), Bytes::copy_from_slice(value.expose_secret().as_bytes())));
        }
        for (name, value) in caller {
            // Where variables are Unicode, a value that is none is left out.
            let Some(text) = os_text(value.as_bytes()) else { continue };
            made.variables.insert(name.into(), text);
            made.secrets.push((name.clone(), Bytes::copy_from_slice(value.as_bytes())));
        }
        made
    }

    /// The variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&OsString> {
        self.variables.get(&OsString::from(name))
    }

    /// The values to keep out of logs, line by line, as logs have them. One that begins like another comes after it.
    pub(crate) fn into_secrets(self) -> Vec<(String, Bytes)> {
        let lines = |(name, value): (String, Bytes)| {
            let lines = value.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
            lines.map(|line| (name.clone(), value.slice_ref(line))).collect::<Vec<_>>()
        };
        let mut secrets: Vec<_> = self.secrets.into_iter().flat_map(lines).collect();
        secrets.sort_by_key(|(_, line)| std::cmp::Reverse(line.len()));
        secrets
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

fn is_inherited(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == **pattern,
    };
    INHERITED.iter().any(fits) || (cfg!(windows) && INHERITED_ON_WINDOWS.iter().any(fits))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have texts that are no variable's value")]
fn os_text(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn os_text(bytes: &[u8]) -> Option<OsString> {
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> impl Iterator<Item = (OsString, OsString)> {
        let pairs = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("https_proxy", "http://proxy:3128"),
            ("GATEWAY_SECRET", "hunter2hunter2"),
            ("REGION", "eu"),
            ("VMCP_LISTEN", "x"),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value.into()))
    }

    fn shown(environment: &Environment) -> Vec<String> {
        environment.variables().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
    }

    #[test]
    fn a_program_sees_what_all_need_and_what_is_named_and_nothing_else() {
        let program = Program { env_passthrough: vec!["REGION".to_owned()], ..Program::new("x") };
        let environment = Environment::new(&program, own(), &Vec::new());
        assert_eq!(shown(&environment), ["LC_ALL=C", "PATH=/bin", "REGION=eu", "https_proxy=http://proxy:3128"]);
    }

    /// Rule 25 of docs/header-policy.md names them.
    #[test]
    fn what_all_programs_are_given_is_what_the_documentation_says() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/header-policy.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rule = page.split("\n25. ").nth(1).and_then(|rest| rest.split("\n26. ").next()).unwrap();
        let named = rule.split('`').skip(1).step_by(2).filter(|name| *name != "envPassthrough").map(str::to_ascii_uppercase);
        let mut named: Vec<String> = named.collect();
        let mut inherited: Vec<String> = INHERITED.iter().map(|name| (*name).to_owned()).collect();
        named.sort_unstable();
        inherited.sort_unstable();
        assert_eq!(named, inherited);
    }

    #[test]
    fn what_is_said_to_a_program_in_confidence_is_kept_out_of_logs() {
        let program =
            Program { env: vec![("GIVEN".to_owned(), "g".into())], env_passthrough: vec!["REGION".to_owned()], ..Program::new("x") };
        let caller = vec![("TOKEN".to_owned(), HeaderValue::from_static("hunter2"))];
        let secrets = Environment::new(&program, own(), &caller).into_secrets();
        let mut names: Vec<_> = secrets.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["GIVEN", "REGION", "TOKEN", "https_proxy"]);
    }

    #[test]
    fn what_the_configuration_gives_wins_over_what_is_inherited_and_the_callers_over_both() {
        let program = Program { env: vec![("PATH".to_owned(), "/opt/bin".into()), ("A".to_owned(), "b".into())], ..Program::new("x") };
        let caller = vec![("TOKEN".to_owned(), HeaderValue::from_static("hunter2")), ("A".to_owned(), HeaderValue::from_static("c"))];
        let environment = Environment::new(&program, own(), &caller);
        assert_eq!(shown(&environment), ["A=c", "LC_ALL=C", "PATH=/opt/bin", "TOKEN=hunter2", "https_proxy=http://proxy:3128"]);
        assert_eq!(format!("{environment:?}"), r#"{"A", "LC_ALL", "PATH", "TOKEN", "https_proxy"}"#);
    }

    #[test]
    fn a_secret_of_several_lines_is_one_of_each_and_the_longest_comes_first() {
        let env = vec![("A".to_owned(), "abc".into()), ("KEY".to_owned(), "begin\r\nabcdef\n\nend!\n".into())];
        let secrets = Environment::new(&Program { env, ..Program::new("x") }, std::iter::empty(), &Vec::new()).into_secrets();
        let shown: Vec<_> = secrets.iter().map(|(name, line)| format!("{name}={}", String::from_utf8_lossy(line))).collect();
        assert_eq!(shown, ["KEY=abcdef", "KEY=begin", "KEY=end!", "A=abc"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_unicode_arrives_byte_for_byte() {
        let caller = vec![("TOKEN".to_owned(), HeaderValue::from_bytes(b"a\xff").unwrap())];
        let environment = Environment::new(&Program::new("x"), std::iter::empty(), &caller);
        assert_eq!(environment.get("TOKEN").unwrap().as_encoded_bytes(), b"a\xff");
    }
}
