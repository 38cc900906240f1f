//! Whose callers' tokens are shown to a place outside of vmcp.
//!
//! Whoever is shown a token can use it here as long as it is good. One issuer's callers are no business of a place that belongs to another.

use vmcp_core::{
    config::nearest,
    plugin::{CallerTokens, Deps, Misplaced, Principal, StrategyError},
};

/// The issuers whose callers' tokens are shown.
pub(crate) struct SubjectIssuers {
    key: &'static str,
    /// Without any: those of all callers, which have one issuer then, as far as that is known.
    listed: Option<Vec<String>>,
}

impl SubjectIssuers {
    /// For what shows no token to anybody.
    pub(crate) fn of_none(key: &'static str) -> Self {
        Self { key, listed: None }
    }

    /// What the settings under `key` say, for callers of whom is known what stands in `deps`.
    ///
    /// # Errors
    /// When nothing is said, and there are several issuers or it is not known how many; or an issuer is named that is none of theirs.
    pub(crate) fn new(key: &'static str, listed: Option<Vec<String>>, deps: &Deps) -> Result<Self, StrategyError> {
        let place = "subjectIssuers".to_owned();
        let wrong = |place: String, message: String| StrategyError::Settings(vec![Misplaced::new(place, message)]);
        let quoted = |issuers: &[std::sync::Arc<str>]| issuers.iter().map(|issuer| format!("`{issuer}`")).collect::<Vec<_>>().join(", ");
        match (&listed, &deps.caller_tokens) {
            (Some(listed), _) if listed.is_empty() => {
                return Err(wrong(place, "names nobody, so every call would fail; name an issuer, or remove the key".to_owned()));
            }
            (Some(_), CallerTokens::Absent) => {
                let why = "names issuers, and callers have no tokens with this `incomingAuth.type`; remove it";
                return Err(wrong(place, why.to_owned()));
            }
            (Some(listed), CallerTokens::OfIssuers(known)) => {
                let unknown = listed.iter().enumerate().filter(|(_, issuer)| !known.iter().any(|known| **known == ***issuer));
                let wrong = unknown.map(|(index, issuer)| {
                    let hint = match nearest(issuer, known.iter().map(|known| &**known)) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("the issuers are {}", quoted(known)),
                    };
                    let shown = issuer.escape_debug();
                    Misplaced::new(format!("{place}[{index}]"), format!("`{shown}` is no issuer of `incomingAuth.oidc`; {hint}"))
                });
                let wrong: Vec<Misplaced> = wrong.collect();
                if !wrong.is_empty() {
                    return Err(StrategyError::Settings(wrong));
                }
            }
            (None, CallerTokens::OfIssuers(known)) if known.len() > 1 => {
                let all = quoted(known);
                let why = format!(
                    "would show one place the tokens of callers of every issuer ({all}); add `subjectIssuers` with those that may be seen there"
                );
                return Err(wrong(String::new(), why));
            }
            (None, CallerTokens::Unknown) if deps.issuer.is_none() => {
                let why = "would show one place the tokens of callers of any issuer, since this `incomingAuth.type` does not say of which they \
                           are; add `subjectIssuers` with those that may be seen there";
                return Err(wrong(String::new(), why.to_owned()));
            }
            _ => {}
        }
        Ok(Self { key, listed })
    }

    /// Whether this caller's token may be shown.
    ///
    /// # Errors
    /// [`StrategyError::Caller`] when its issuer is not listed.
    pub(crate) fn admit(&self, caller: &Principal) -> Result<(), StrategyError> {
        match &self.listed {
            Some(listed) if !listed.iter().any(|issuer| **issuer == *caller.issuer) => {
                let why =
                    format!("the caller's token is of an issuer that is not under `{}.subjectIssuers`, so it was not shown", self.key);
                Err(StrategyError::Caller(why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const ONE: &str = "https://one.example.com";
    const TWO: &str = "https://two.example.com";

    fn both() -> CallerTokens {
        CallerTokens::OfIssuers(vec![ONE.into(), TWO.into()])
    }

    /// What is known of callers with these tokens.
    fn known(tokens: &CallerTokens, issuer: Option<&str>) -> Deps {
        let mut deps = testing::deps();
        (deps.caller_tokens, deps.issuer) = (tokens.clone(), issuer.map(Into::into));
        deps
    }

    fn refused(listed: Option<&[&str]>, deps: &Deps) -> Option<String> {
        let listed = listed.map(|listed| listed.iter().map(|&issuer| issuer.to_owned()).collect());
        SubjectIssuers::new("exec", listed, deps).err().map(|error| error.to_string())
    }

    fn refusal(listed: Option<&[&str]>, tokens: &CallerTokens) -> Option<String> {
        refused(listed, &known(tokens, None))
    }

    #[test]
    fn with_several_issuers_it_has_to_be_said_whose_tokens_are_shown() {
        let why = format!(
            "would show one place the tokens of callers of every issuer (`{ONE}`, `{TWO}`); add `subjectIssuers` with those that may be \
             seen there"
        );
        assert_eq!(refusal(None, &both()), Some(why));
        for tokens in [CallerTokens::Absent, CallerTokens::OfIssuers(vec![ONE.into()])] {
            assert_eq!(refusal(None, &tokens), None);
        }
        assert_eq!(refusal(Some(&[ONE]), &both()), None);
        assert_eq!(refusal(Some(&["https://any.example.com"]), &CallerTokens::Unknown), None);
    }

    #[test]
    fn of_callers_of_whom_nothing_is_known_it_has_to_be_said_too() {
        let unsaid = refusal(None, &CallerTokens::Unknown).unwrap();
        assert!(unsaid.starts_with("would show one place the tokens of callers of any issuer, since this `incomingAuth.type`"), "{unsaid}");
        assert!(unsaid.ends_with("; add `subjectIssuers` with those that may be seen there"), "{unsaid}");
        assert_eq!(refusal(Some(&[ONE]), &CallerTokens::Unknown), None);
        assert_eq!(refused(None, &known(&CallerTokens::Unknown, Some(ONE))), None, "all are of one issuer, as the authenticator says");
    }

    #[test]
    fn an_issuer_that_is_not_configured_is_refused_with_the_one_that_was_meant() {
        let unknown = |issuer: &str, hint: &str| Some(format!("subjectIssuers[1]: `{issuer}` is no issuer of `incomingAuth.oidc`; {hint}"));
        let near = "https://one.example.com/";
        assert_eq!(refusal(Some(&[TWO, near]), &both()), unknown(near, &format!("did you mean `{ONE}`?")));
        assert_eq!(refusal(Some(&[TWO, "acme"]), &both()), unknown("acme", &format!("the issuers are `{ONE}`, `{TWO}`")));
        assert!(refusal(Some(&[]), &both()).unwrap().contains("names nobody"));
        assert!(refusal(Some(&[ONE]), &CallerTokens::Absent).unwrap().contains("callers have no tokens"));
    }

    #[test]
    fn a_caller_of_another_issuer_is_refused_as_the_callers_fault() {
        let issuers = SubjectIssuers::new("exec", Some(vec![ONE.to_owned()]), &known(&both(), None)).unwrap();
        let caller = |issuer: &str| Principal { issuer: issuer.into(), subject: "ann".into() };
        assert!(issuers.admit(&caller(ONE)).is_ok());
        assert!(matches!(issuers.admit(&caller(TWO)), Err(StrategyError::Caller(why)) if why.contains("`exec.subjectIssuers`")));
    }
}
