//! What stands in for the value of a variable that is not set.

use serde_json::{Map, Value};
use vmcp_core::config::{TextSite, Wanted};

/// Something that fits where a variable's value would stand.
pub(super) fn stand_in(site: TextSite<'_>) -> Value {
    match site.wanted {
        Wanted::Integer => 1.into(),
        // What a permission would allow is no mistake as long as nobody knows whether it is given.
        Wanted::Boolean => site.path.rsplit('.').next().is_some_and(|key| key.starts_with("allow") || key == "impersonation").into(),
        Wanted::List => Value::Array(Vec::new()),
        Wanted::Map => Value::Object(Map::new()),
        Wanted::Text { word: Some(word), .. } => word.into(),
        Wanted::Text { format: Some("uri"), .. } => match url::Url::parse(site.text) {
            Ok(_) => site.text.into(),
            Err(_) => "https://unset.invalid/".into(),
        },
        Wanted::Text { format: Some("socket-address"), .. } => "127.0.0.1:0".into(),
        Wanted::Text { format: Some("network"), .. } => "127.0.0.1".into(),
        Wanted::Text { format: Some("go-duration"), .. } => "1s".into(),
        Wanted::Text { format: Some("byte-size"), .. } => "1MiB".into(),
        Wanted::Text { .. } | Wanted::Anything => site.text.into(),
    }
}
