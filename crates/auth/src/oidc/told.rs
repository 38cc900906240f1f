//! What clients are told of the settings: the resource's name, and the scopes that they have to ask for.

use url::Url;

/// What a client asks for to be given a refresh token (OpenID Connect Core §11).
const OFFLINE: &str = "offline_access";

/// The identifier of the resource as the operator wrote it. Clients compare texts (RFC 9728 §3.3), issuers write it into `aud` as they get it,
/// and a URL that was read and written again can be another text.
///
/// # Errors
/// Why it cannot be one (RFC 9728 §1.2).
pub(super) fn identifier(text: String) -> Result<String, &'static str> {
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err("`resource` must be an https or http URL: clients take it when the URL that they call begins with it");
    };
    if !has_slashes(&text) {
        return Err("`resource` must be written in full, beginning with `https://` or `http://` and a host, for example \
                    https://mcp.example.com/mcp: clients are told it to the letter");
    }
    if text.contains('\\') {
        return Err("`resource` has a `\\`, which no URL has and only forgiving parsers take for a slash; write a slash");
    }
    if url.fragment().is_some() {
        return Err("`resource` has a fragment, which no resource's identifier has; remove it");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`resource` has a user name or a password, and everybody is told it; remove it");
    }
    if text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err("`resource` has a space or a control character; remove it");
    }
    Ok(text)
}

/// Whether two slashes and a host follow the scheme. `Url::parse` mends `https:/host` and `https:\\host`, and nobody who compares texts does.
fn has_slashes(text: &str) -> bool {
    let rest = text.split_once("://").filter(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    rest.is_some_and(|(_, rest)| !rest.starts_with(['/', '\\']))
}

/// The scopes that the operator has clients told to ask for, in the resource's metadata and by a façade, each once.
pub(super) fn advertised(own: Option<&[String]>, of_facade: Option<&[String]>) -> Vec<String> {
    let mut all: Vec<String> = own.unwrap_or_default().to_vec();
    for scope in of_facade.unwrap_or_default() {
        if !all.contains(scope) {
            all.push(scope.clone());
        }
    }
    all
}

/// The scopes that tokens need, by the names under which clients ask for them.
///
/// With some issuers (Entra) a scope is asked for with the API's URI before it, `https://mcp.example.com/mcp/tools`, and stands in the token
/// without, `tools`. Clients ask for what a 401 or 403 names (MCP 2025-11-25, basic/authorization, scope selection strategy), so these name it
/// as it stands among the scopes that are advertised, in the resource's metadata or by a façade. `offline_access` among these is named too: it
/// is what an issuer renews tokens for, not every client asks for it by itself, and the operator wrote it there to be asked for.
pub(super) fn asked_as<'a>(needed: &'a [String], advertised: &'a [String]) -> Option<String> {
    let is_it = |asked: &&String, needed: &str| asked.strip_suffix(needed).is_some_and(|before| before.ends_with('/'));
    let name = |needed: &'a String| {
        // One that is advertised by its own name is that one, whatever else ends in it.
        let other = if advertised.contains(needed) { None } else { advertised.iter().find(|asked| is_it(asked, needed)) };
        other.unwrap_or(needed).as_str()
    };
    let renewal = advertised.iter().map(String::as_str).filter(|asked| *asked == OFFLINE && !needed.iter().any(|needed| needed == OFFLINE));
    (!needed.is_empty()).then(|| needed.iter().map(name).chain(renewal).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_scope_is_asked_for_as_it_is_advertised_and_otherwise_as_tokens_have_it() {
        for (needed, advertised, asked) in [
            ("", "a b", None),
            ("a", "", Some("a")),
            ("a b", "b a c", Some("a b")),
            ("a", "api://x/a api://x/ba", Some("api://x/a")),
            ("a", "ba api://x/ba", Some("a")),
            ("a", "x/a a", Some("a")),
            ("b a", "api://x/a offline_access", Some("b api://x/a offline_access")),
            ("a offline_access", "offline_access a", Some("a offline_access")),
            ("", "a offline_access", None),
        ] {
            assert_eq!(asked_as(&words(needed), &words(advertised)).as_deref(), asked, "{needed} of {advertised}");
        }
    }

    #[test]
    fn an_identifier_stays_as_it_was_written_or_is_refused() {
        for good in ["https://MCP.example.com", "https://a.example.com:443/", "http://127.0.0.1:1/mcp?x=y", "https://bücher.example.com"] {
            assert_eq!(identifier(good.to_owned()).as_deref(), Ok(good));
        }
        for bad in
            ["", "x", "/mcp", "https://", "api://x/mcp", "https://a.example.com/\n", " https://a.example.com", "https://a.example.com#"]
        {
            assert!(identifier(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_identifier_has_both_slashes_behind_its_scheme_even_where_a_parser_forgives_their_lack() {
        for bad in [
            "https:/mcp.example.com",
            "https:mcp.example.com",
            "http:/\\mcp.example.com",
            "https:\\\\mcp.example.com",
            "https:///mcp.example.com",
            "https://\\mcp.example.com",
            "ht\ntps://a.example.com",
        ] {
            let told = identifier(bad.to_owned());
            assert!(told.is_err_and(|what| what.contains("https://mcp.example.com/mcp")), "{bad}");
        }
        for bad in ["https://mcp.example.com\\mcp", "https://mcp.example.com/a\\b", "https://mcp.example.com/mcp?x=a\\b"] {
            assert!(identifier(bad.to_owned()).is_err_and(|what| what.contains("write a slash")), "{bad}");
        }
        assert_eq!(identifier("HTTPS://mcp.example.com".to_owned()).as_deref(), Ok("HTTPS://mcp.example.com"));
    }
}
