//! Whose callers' tokens are shown to a place outside of vmcp.
//!
//! Whoever is shown a token can use it here as long as it is good. One issuer's callers are no business of a place that belongs to another.

use std::sync::Arc;
use vmcp_core::{
    config::nearest,
    plugin::{CallerTokens, Deps, Misplaced, StrategyContext, StrategyError},
};

/// The issuers whose callers' tokens are shown.
pub(crate) struct SubjectIssuers {
    key: &'static str,
    shown: Shown,
}

/// Whose tokens are shown.
enum Shown {
    /// Nobody's, or only those that a program brings for calls of its own, since callers have none.
    None,
    /// Those of callers of these issuers, and nothing of others' calls.
    Listed(Vec<String>),
    /// Nothing is listed, and all callers are of this one. An [`Identity`](crate::Identity) that a program makes for a call of its own may be of
    /// another all the same.
    Only(Arc<str>),
}

impl SubjectIssuers {
    /// For what shows no token to anybody.
    pub(crate) fn of_none(key: &'static str) -> Self {
        Self { key, shown: Shown::None }
    }

    /// What the settings under `key` say, for callers of whom is known what stands in `deps`.
    ///
    /// # Errors
    /// When nothing is said, and there are several issuers or it is not known how many; or an issuer is named that is none of theirs.
    pub(crate) fn new(key: &'static str, listed: Option<Vec<String>>, deps: &Deps) -> Result<Self, StrategyError> {
        let place = "subjectIssuers".to_owned();
        let quoted = |issuers: &[Arc<str>]| issuers.iter().map(|issuer| format!("`{issuer}`")).collect::<Vec<_>>().join(", ");
        let only = match &deps.caller_tokens {
            CallerTokens::OfIssuers(known) if !known.is_empty() => known.first().cloned(),
            // No caller's token is one of the authenticator's issuer: where there is one, the program brings it with an identity of its own.
            CallerTokens::Absent => None,
            _ => deps.issuer.clone(),
        };
        match (&listed, &deps.caller_tokens) {
            (Some(listed), _) if listed.is_empty() => {
                return Err(StrategyError::at(place, "names nobody, so every call would fail; name an issuer, or remove the key"));
            }
            (Some(_), CallerTokens::Absent) => {
                let why = "names issuers, and callers have no tokens with this `incomingAuth.type`; remove it";
                return Err(StrategyError::at(place, why));
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
                return Err(StrategyError::at("", why));
            }
            (None, CallerTokens::Unknown | CallerTokens::OfIssuers(_)) if only.is_none() => {
                let why = "would show one place the tokens of callers of any issuer, since this `incomingAuth.type` does not say of which they \
                           are; add `subjectIssuers` with those that may be seen there";
                return Err(StrategyError::at("", why));
            }
            _ => {}
        }
        let shown = listed.map(Shown::Listed).or_else(|| only.map(Shown::Only)).unwrap_or(Shown::None);
        Ok(Self { key, shown })
    }

    /// Whether this caller's token may be shown. Of nobody, which is the gateway itself, there is none.
    ///
    /// # Errors
    /// [`StrategyError::Caller`] when its issuer is not listed, or not the one that all callers are of.
    pub(crate) fn admit(&self, context: &StrategyContext<'_>) -> Result<(), StrategyError> {
        let Some(caller) = context.principal else { return Ok(()) };
        let why = match &self.shown {
            Shown::Listed(listed) if !listed.iter().any(|issuer| **issuer == *caller.issuer) => {
                format!("the caller's token is of an issuer that is not under `{}.subjectIssuers`, so it was not shown", self.key)
            }
            // Whoever has no token has nothing that could be shown.
            Shown::Only(only) if *only != caller.issuer && context.subject_token.is_some() => {
                format!("the caller's token is of another issuer than `{only}`, the only one of `incomingAuth`, so it was not shown")
            }
            _ => return Ok(()),
        };
        Err(StrategyError::Caller(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, testing};
    use vmcp_core::plugin::{Authenticated, Principal, SubjectToken, TokenKind};

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

    /// Somebody of this issuer, with a token or without.
    fn caller(issuer: &str, has_token: bool) -> Identity {
        let mut who = Authenticated::new(Principal { issuer: issuer.into(), subject: "ann".into() });
        who.subject_token = has_token.then(|| SubjectToken::new("anns.own.token".into(), TokenKind::Jwt));
        Identity::new(who)
    }

    /// Why this caller's token is not shown, as the caller's fault.
    fn asked(issuers: &SubjectIssuers, caller: &Identity) -> Option<String> {
        let error = issuers.admit(&caller.strategy_context("b")).err()?;
        assert!(matches!(error, StrategyError::Caller(_)), "{error}");
        Some(error.to_string())
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
        assert_eq!(refusal(None, &CallerTokens::OfIssuers(Vec::new())), Some(unsaid), "of no issuers is of none that is known");
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
        assert_eq!(asked(&issuers, &caller(ONE, true)), None);
        for has_token in [true, false] {
            assert!(asked(&issuers, &caller(TWO, has_token)).is_some_and(|why| why.contains("`exec.subjectIssuers`")));
        }
    }

    #[test]
    fn where_nothing_is_listed_only_the_one_issuers_tokens_are_shown() {
        for deps in [
            known(&CallerTokens::OfIssuers(vec![ONE.into()]), Some(ONE)),
            known(&CallerTokens::OfIssuers(vec![ONE.into()]), None),
            known(&CallerTokens::Unknown, Some(ONE)),
        ] {
            let issuers = SubjectIssuers::new("exec", None, &deps).unwrap();
            assert_eq!(asked(&issuers, &caller(ONE, true)), None);
            assert_eq!(asked(&issuers, &caller(TWO, false)), None, "there is nothing to show");
            let why = format!("the caller's token is of another issuer than `{ONE}`, the only one of `incomingAuth`, so it was not shown");
            assert_eq!(asked(&issuers, &caller(TWO, true)), Some(why));
            let nothing = serde_json::Map::new();
            assert!(issuers.admit(&StrategyContext::new("b", None, &nothing)).is_ok(), "the gateway itself");
        }
        assert_eq!(asked(&SubjectIssuers::of_none("exec"), &caller(TWO, true)), None, "no token is shown there");
        let absent = SubjectIssuers::new("exec", None, &known(&CallerTokens::Absent, Some(ONE))).unwrap();
        assert_eq!(asked(&absent, &caller(TWO, true)), None, "whoever calls has a token of the program's alone");
    }
}
