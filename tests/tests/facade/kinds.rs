//! Clients as far as they differ in how they log in.

/// How a client comes to the metadata of the resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// By the 401, and at the well-known places where that names none.
    Challenge,
    /// At the well-known places alone: with the endpoint's path behind it, then without.
    WellKnown,
    /// It knows nothing newer than revision 2025-03-26: the issuer's metadata are at the resource's own origin, or it guesses paths there.
    Never,
}

/// A client, by what of its behaviour matters here.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What it registers; it uses the first.
    pub(crate) redirects: &'static [&'static str],
    pub(crate) finds: Finds,
    /// Looks for OpenID Connect's metadata before RFC 8414's.
    pub(crate) openid_first: bool,
    /// Where it describes itself, if it does (Client ID Metadata Documents): used where the issuer's metadata say that it may be.
    pub(crate) document: Option<&'static str>,
    /// A page in a browser, which may read what says so.
    pub(crate) page: Option<&'static str>,
}

const PLAIN: Kind = Kind { name: "", redirects: &[], finds: Finds::Challenge, openid_first: false, document: None, page: None };

pub(crate) const KINDS: [Kind; 7] = [
    Kind {
        name: "Claude Code",
        redirects: &["http://localhost:54321/callback"],
        document: Some("https://claude.example.com/oauth/claude-code.json"),
        ..PLAIN
    },
    Kind { name: "Cursor", redirects: &["cursor://anysphere.cursor-mcp/oauth/callback"], finds: Finds::WellKnown, ..PLAIN },
    Kind {
        name: "VS Code",
        redirects: &["http://127.0.0.1:33418/", "http://localhost/", "https://vscode.dev/redirect"],
        document: Some("https://vscode.example.com/oauth/client.json"),
        ..PLAIN
    },
    Kind {
        name: "Inspector",
        redirects: &["http://localhost:6274/oauth/callback"],
        finds: Finds::WellKnown,
        page: Some("http://localhost:6274"),
        ..PLAIN
    },
    Kind {
        name: "claude.ai",
        redirects: &["https://claude.ai/api/mcp/auth_callback"],
        document: Some("https://claude.example.com/oauth/claude.json"),
        ..PLAIN
    },
    Kind { name: "one that prefers OpenID Connect", redirects: &["http://127.0.0.1:9/cb"], openid_first: true, ..PLAIN },
    Kind { name: "one of 2025-03-26", redirects: &["http://127.0.0.1:9/cb"], finds: Finds::Never, ..PLAIN },
];

impl Kind {
    /// Whether it looks for the issuer where the resource says that it is.
    pub(crate) fn knows_of_issuers(&self) -> bool {
        self.finds != Finds::Never
    }
}
