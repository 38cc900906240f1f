//! What went wrong when a policy was evaluated, in words that hold no value.

use cedar_policy::EvaluationError;

/// Cedar's own words may quote a caller's subject, a claim or an argument.
pub(super) fn words(error: &EvaluationError) -> String {
    match error {
        EvaluationError::EntityAttrDoesNotExist(_) | EvaluationError::RecordAttrDoesNotExist(_) => match missing_attribute(error) {
            Some(name) => format!("`{name}` is not there; ask with `has` first"),
            None => "an attribute or tag is not there; ask with `has` first".to_owned(),
        },
        EvaluationError::EntityDoesNotExist(_) => "an entity without attributes is asked for one".to_owned(),
        EvaluationError::TypeError(_) => "a value is of another type than the policy takes it for".to_owned(),
        EvaluationError::IntegerOverflow(_) => "a number does not fit into 64 bits".to_owned(),
        EvaluationError::FailedExtensionFunctionExecution(_) => "a function cannot read the text that it is given".to_owned(),
        EvaluationError::RecursionLimit(_) => "it is nested too deeply".to_owned(),
        _ => "it cannot be evaluated".to_owned(),
    }
}

/// The name of the attribute that is not there: a name that the policy itself asks for, so no value. That of a tag may be one.
pub(super) fn missing_attribute(error: &EvaluationError) -> Option<String> {
    // The name is in the text alone, behind what is quoted of the entity: its id, in which anything may stand.
    let text = error.to_string();
    let said = match error {
        EvaluationError::RecordAttrDoesNotExist(_) => text.strip_prefix("record")?,
        EvaluationError::EntityAttrDoesNotExist(_) => behind_id(&text)?.strip_prefix('`')?,
        _ => return None,
    };
    Some(said.strip_prefix(" does not have the attribute `")?.strip_suffix('`')?.to_owned())
}

/// What follows the first id in a text, in which quotes are escaped.
fn behind_id(text: &str) -> Option<&str> {
    let (_, id) = text.split_once('"')?;
    let mut is_escaped = false;
    let end = id.find(|char| {
        let is_end = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    })?;
    id.get(end + 1..)
}
