//! Environment variables that no caller's header may fill.

/// Why a variable is closed to callers' headers. The operator may set any of them under `env`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableGroup {
    /// The loader and the C library take code and data from there before the program begins.
    Loader,
    /// Interpreters take options, modules or whole programs from there.
    Interpreter,
    /// Where programs, files and settings are looked for.
    Path,
    /// Where the program's own connections go, and whom it trusts there.
    Network,
    /// Tools run what stands there.
    Command,
    /// vmcp's own.
    Own,
}

impl VariableGroup {
    /// Every group.
    pub const ALL: [Self; 6] = [Self::Loader, Self::Interpreter, Self::Path, Self::Network, Self::Command, Self::Own];

    /// The names of the group in upper case; a `*` at the end stands for anything. They are compared without regard to case.
    #[must_use]
    pub fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Loader => &["LD_*", "DYLD_*", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_*", "LIBPATH", "SHLIB_PATH"],
            Self::Interpreter => &[
                "PYTHON*",
                "VIRTUAL_ENV",
                "UV_*",
                "PIP_*",
                "NODE_*",
                "NPM_*",
                "DENO_*",
                "BUN_*",
                "TSX_*",
                "TS_NODE_*",
                "RUBY*",
                "GEM_*",
                "BUNDLE_*",
                "PERL*",
                "PHP*",
                "LUA_*",
                "R_*",
                "JAVA_TOOL_OPTIONS",
                "_JAVA_OPTIONS",
                "JDK_JAVA_OPTIONS",
                "JAVA_OPTS",
                "CLASSPATH",
                "DOTNET_*",
                "CORECLR_*",
                "COR_*",
                "COMPLUS_*",
                "PSMODULEPATH",
                "BASH_ENV",
                "BASH_FUNC_*",
                "BASHOPTS",
                "SHELLOPTS",
                "ENV",
                "IFS",
                "PS4",
                "PROMPT_COMMAND",
                "ZDOTDIR",
                "ELECTRON_*",
                "RUSTC*",
                "CARGO*",
                "RUST_*",
                "GOFLAGS",
                "GOPROXY",
                "GODEBUG",
            ],
            Self::Path => &[
                "PATH",
                "PATHEXT",
                "HOME",
                "SHELL",
                "TMPDIR",
                "TMP",
                "TEMP",
                "CDPATH",
                "PWD",
                "OLDPWD",
                "USER",
                "LOGNAME",
                "USERNAME",
                "USERPROFILE",
                "HOMEDRIVE",
                "HOMEPATH",
                "APPDATA",
                "LOCALAPPDATA",
                "PROGRAMDATA",
                "PROGRAMFILES*",
                "COMSPEC",
                "SYSTEMROOT",
                "SYSTEMDRIVE",
                "WINDIR",
                "XDG_*",
                "HOSTALIASES",
                "RES_OPTIONS",
                "LOCALDOMAIN",
                "TZDIR",
                "TERMINFO*",
                "TERMCAP",
                "DOCKER_HOST",
                "DOCKER_CONFIG",
                "KUBECONFIG",
            ],
            Self::Network => &[
                "*_PROXY",
                "SSL_CERT_*",
                "SSLKEYLOGFILE",
                "OPENSSL_*",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "CURL_HOME",
                "AWS_CA_BUNDLE",
                "AWS_CONFIG_FILE",
                "AWS_SHARED_CREDENTIALS_FILE",
                "AWS_ENDPOINT_URL*",
                "CLOUDSDK_CONFIG",
                "GOOGLE_APPLICATION_CREDENTIALS",
            ],
            Self::Command => &[
                "GIT_*",
                "SSH_ASKPASS*",
                "SSH_AUTH_SOCK",
                "SUDO_ASKPASS",
                "EDITOR",
                "VISUAL",
                "PAGER",
                "MANPAGER",
                "BROWSER",
                "LESSOPEN",
                "LESSCLOSE",
                "MAKEFLAGS",
            ],
            Self::Own => &["VMCP_*"],
        }
    }

    /// What its variables do, as the end of a sentence.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Loader => "the loader takes code from it before the program begins",
            Self::Interpreter => "an interpreter takes options or code from it",
            Self::Path => "programs, files or settings are looked for there",
            Self::Network => "it redirects the server's own connections, or says whom they trust",
            Self::Command => "programs are run from it",
            Self::Own => "it is vmcp's own",
        }
    }

    fn holds(self, name: &str) -> bool {
        self.patterns().iter().any(|pattern| match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
            (Some(beginning), _) => name.starts_with(beginning),
            (None, Some(end)) => name.ends_with(end),
            (None, None) => name == *pattern,
        })
    }
}

/// The group that closes the variable `name`, in whatever case; `None` when a caller's header may fill it.
#[must_use]
pub fn closed_variable(name: &str) -> Option<VariableGroup> {
    let name = name.to_ascii_uppercase();
    VariableGroup::ALL.into_iter().find(|group| group.holds(&name))
}

/// Whether `name` is one that every system and shell takes for a variable's: letters, digits and `_`, no digit in front.
pub(super) fn is_variable(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| inner(c) && !c.is_ascii_digit()) && name.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_run_or_redirect_something_are_closed_in_every_case() {
        for group in VariableGroup::ALL {
            for pattern in group.patterns() {
                let name = pattern.replace('*', "X");
                for name in [name.clone(), name.to_lowercase()] {
                    assert!(closed_variable(&name).is_some(), "{name}");
                }
            }
        }
        let named = [
            ("LD_PRELOAD", VariableGroup::Loader),
            ("NODE_OPTIONS", VariableGroup::Interpreter),
            ("NODE_EXTRA_CA_CERTS", VariableGroup::Interpreter),
            ("Path", VariableGroup::Path),
            ("http_proxy", VariableGroup::Network),
            ("GIT_SSH_COMMAND", VariableGroup::Command),
            ("VMCP_LISTEN", VariableGroup::Own),
        ];
        for (name, group) in named {
            assert_eq!(closed_variable(name), Some(group), "{name}");
        }
    }

    #[test]
    fn what_servers_take_credentials_from_is_open() {
        for name in ["GITHUB_TOKEN", "GITHUB_PERSONAL_ACCESS_TOKEN", "SLACK_BOT_TOKEN", "API_KEY", "AWS_ACCESS_KEY_ID", "TZ", "ENVIRONMENT"]
        {
            assert_eq!(closed_variable(name), None, "{name}");
        }
    }

    #[test]
    fn a_variable_is_a_word() {
        for name in ["A", "_a", "a1_B"] {
            assert!(is_variable(name), "{name}");
        }
        for name in ["", "1a", "a-b", "a b", "a=b", "a\0", "ä"] {
            assert!(!is_variable(name), "{name:?}");
        }
    }
}
