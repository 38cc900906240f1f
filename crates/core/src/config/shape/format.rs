//! Texts that have to be something: a URL, a duration, a size, an address.

use crate::config::{ByteSize, Network, NetworkError, Span};
use std::net::SocketAddr;

/// What is wrong with a text that should have this format: `is not a duration`, and what to write instead.
pub(super) fn complaint(format: &str, text: &str) -> Option<(&'static str, String)> {
    match format {
        "go-duration" => text.parse::<Span>().err().map(|_| ("is not a duration", "write for example 500ms, 30s, 1m30s or 2h".to_owned())),
        "byte-size" => text.parse::<ByteSize>().err().map(|_| ("is not a size", "write for example 65536, 64KiB or 16MiB".to_owned())),
        "uri" => url::Url::parse(text).err().map(|error| ("is not a URL", url_hint(error, text))),
        "socket-address" => text.parse::<SocketAddr>().err().map(|_| ("is not an address and port", address_hint(text))),
        "network" => match text.parse::<Network>() {
            Ok(_) => None,
            Err(NetworkError::Malformed) => Some(("is not an address or a network", "write for example 10.0.0.0/8 or fd00::/8".to_owned())),
            Err(NetworkError::Inside) => Some(("is an address inside of a network", "write the network's first address".to_owned())),
        },
        _ => None,
    }
}

fn url_hint(error: url::ParseError, text: &str) -> String {
    if error == url::ParseError::RelativeUrlWithoutBase || !text.contains("://") {
        "write it in full, for example https://mcp.example.com/mcp".to_owned()
    } else {
        error.to_string()
    }
}

fn address_hint(text: &str) -> String {
    match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).map(str::parse::<u16>) {
        Some(Ok(port)) if text.starts_with(':') => {
            format!("write 0.0.0.0:{port} for every interface, 127.0.0.1:{port} for this machine alone")
        }
        Some(Ok(port)) => format!("write 127.0.0.1:{port}"),
        _ => "write for example 127.0.0.1:4483 or [::1]:4483".to_owned(),
    }
}
