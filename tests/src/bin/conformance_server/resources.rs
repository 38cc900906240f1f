//! What the resources hold.

use rmcp::{
    ErrorData,
    model::{ReadResourceResponse, ReadResourceResult, ResourceContents},
};
use serde_json::json;

/// One red pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// Eight samples of silence at 8 kHz.
pub(crate) const WAV: &str = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

/// Reads a resource.
///
/// # Errors
/// That there is none with this URI (-32002, from 2026-07-28 on -32602), with the URI in the error's data.
pub(crate) fn read(uri: &str) -> Result<ReadResourceResponse, ErrorData> {
    let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
    let contents = match (uri, id) {
        ("test://static-text", _) => text("This is the content of the static text resource.", uri, "text/plain"),
        ("test://static-binary", _) => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
        ("test://watched-resource", _) => text("This resource can be watched.", uri, "text/plain"),
        (_, Some(id)) => {
            let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            text(&data.to_string(), uri, "application/json")
        }
        _ => return Err(ErrorData::resource_not_found("Resource not found", Some(json!({ "uri": uri })))),
    };
    Ok(ReadResourceResult::new(vec![contents]).into())
}

fn text(text: &str, uri: &str, kind: &str) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type(kind)
}
