//! What a backend asks of its caller, as the caller's revision has it.

use crate::session::random;
use vmcp_core::{
    Era, Revision,
    frame::{Edit, RawObject},
};

/// Why a question cannot be put to this caller: what its revision lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untranslatable {
    #[error("the client's revision has no such request")]
    Method,
    #[error("the client's revision has no URL elicitation")]
    Url,
    #[error("the client's revision has no tools in sampling")]
    Tools,
}

/// The mode of an elicitation; of everything else none.
pub(super) fn mode<'a>(method: &str, params: &RawObject<'a>) -> Option<std::borrow::Cow<'a, str>> {
    (method == "elicitation/create").then(|| params.get_str("mode")).flatten()
}

/// The parameters of a question that a backend of era `from` asks a client of a legacy revision: the JSON text of an object.
///
/// 2025-11-25 added URL elicitations with their `elicitationId`, `mode` and tools in sampling; 2025-06-18 added elicitation.
pub(super) fn for_legacy(method: &str, params: &RawObject<'_>, revision: Revision, from: Era) -> Result<Vec<u8>, Untranslatable> {
    let is_newest = revision >= Revision::V2025_11_25;
    let mut id = None;
    let mut edits = Vec::new();
    match method {
        "elicitation/create" if revision < Revision::V2025_06_18 => return Err(Untranslatable::Method),
        "elicitation/create" => {
            if mode(method, params).as_deref() == Some("url") {
                if !is_newest {
                    return Err(Untranslatable::Url);
                }
                // 2026-07-28 has no such id; to the client it only has to be another one each time.
                if from == Era::Modern && params.get("elicitationId").is_none() {
                    id = Some(format!("\"{}\"", unique()));
                }
            } else if !is_newest {
                edits.push(Edit::Remove("mode"));
            }
        }
        "sampling/createMessage" if !is_newest && (params.get("tools").is_some() || params.get("toolChoice").is_some()) => {
            return Err(Untranslatable::Tools);
        }
        _ => {}
    }
    edits.extend(id.as_deref().map(|id| Edit::Set("elicitationId", id)));
    Ok(written(params, &edits))
}

/// The parameters of a question that a legacy backend asks a modern client: the JSON text of an object. 2026-07-28 has no
/// `elicitationId`, no tasks in core, and no progress of a client.
pub(super) fn for_modern(params: &RawObject<'_>) -> Vec<u8> {
    let meta = params.meta().map(|meta| written(meta, &[Edit::Remove("progressToken")])).and_then(|meta| String::from_utf8(meta).ok());
    let mut edits = vec![Edit::Remove("elicitationId"), Edit::Remove("task")];
    match meta.as_deref() {
        Some("{}") => edits.push(Edit::Remove("_meta")),
        Some(meta) => edits.push(Edit::Set("_meta", meta)),
        None => {}
    }
    written(params, &edits)
}

/// The client's result as a legacy backend knows it.
pub(super) fn answer_for_legacy(answer: &RawObject<'_>) -> Vec<u8> {
    written(answer, &[Edit::Remove("resultType")])
}

fn written(object: &RawObject<'_>, edits: &[Edit<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(object.text().len() + 64);
    object.write(edits, &mut out);
    out
}

fn unique() -> String {
    // Without random bytes from the operating system nothing else would work either.
    random::<16>().unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(method: &str, params: &str, revision: Revision) -> Result<String, Untranslatable> {
        let params = RawObject::parse(params).unwrap();
        for_legacy(method, &params, revision, Era::Legacy).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_question_has_only_what_the_clients_revision_has() {
        let (new, middle, old) = (Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26);
        let form = r#"{"mode":"form","message":"m" ,"requestedSchema":{ }}"#;
        let elicit = "elicitation/create";
        assert_eq!(legacy(elicit, form, new).unwrap(), r#"{"mode":"form","message":"m","requestedSchema":{ }}"#);
        assert_eq!(legacy(elicit, form, middle).unwrap(), r#"{"message":"m","requestedSchema":{ }}"#);
        assert_eq!(legacy(elicit, form, old), Err(Untranslatable::Method));
        let url = r#"{"mode":"url","url":"https://example.com","elicitationId":"e","message":"m"}"#;
        assert_eq!(legacy(elicit, url, new).unwrap(), url);
        assert_eq!(legacy(elicit, url, middle), Err(Untranslatable::Url));
        assert_eq!(legacy("sampling/createMessage", r#"{"messages":[],"tools":[]}"#, middle), Err(Untranslatable::Tools));
        assert!(legacy("sampling/createMessage", r#"{"messages":[],"tools":[]}"#, new).is_ok());
        assert_eq!(legacy("roots/list", "{}", old).unwrap(), "{}");
    }

    #[test]
    fn a_url_of_a_modern_backend_gets_an_id_and_a_modern_client_gets_none() {
        let params = RawObject::parse(r#"{"mode":"url","url":"u","message":"m"}"#).unwrap();
        let ids: Vec<String> = (0..2)
            .map(|_| {
                let text = for_legacy("elicitation/create", &params, Revision::V2025_11_25, Era::Modern).unwrap();
                RawObject::parse(std::str::from_utf8(&text).unwrap()).unwrap().get_str("elicitationId").unwrap().into_owned()
            })
            .collect();
        assert!(ids[0].len() == 32 && ids[0] != ids[1]);
        let params = RawObject::parse(r#"{"mode":"url","elicitationId":"e","task":{},"_meta":{"progressToken":1}}"#).unwrap();
        assert_eq!(for_modern(&params), br#"{"mode":"url"}"#);
        let params = RawObject::parse(r#"{"a":1e400,"_meta":{"x":1,"progressToken":1}}"#).unwrap();
        assert_eq!(for_modern(&params), br#"{"a":1e400,"_meta":{"x":1}}"#);
    }
}
