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

/// The name of the attribute that is not there: a name that the policy itself asks for, so no value.
pub(super) fn missing_attribute(error: &EvaluationError) -> Option<String> {
    if !matches!(error, EvaluationError::EntityAttrDoesNotExist(_) | EvaluationError::RecordAttrDoesNotExist(_)) {
        return None;
    }
    // The name is in the text alone, behind all that is quoted of the entity.
    let text = error.to_string();
    let (_, name) = text.rsplit_once("the attribute `")?;
    Some(name.strip_suffix('`')?.to_owned())
}
