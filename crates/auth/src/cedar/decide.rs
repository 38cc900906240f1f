//! The authorizer: a question as Cedar's request, its answer as a decision.

use super::{
    config::CedarConfig,
    depth::{evaluating, with_room},
    entities::{Added, uid},
    literals::World,
    numbers::Numbers,
    policies::{Policies, Reader},
    principal::{Naming, groups},
    tally::Tally,
    value::{MAX_DEPTH, Values},
};
use cedar_policy::{Authorizer as Engine, Context, Entities, EntityTypeName, Request, RestrictedExpression};
use std::{borrow::Cow, collections::HashMap, sync::Arc};
use vmcp_core::plugin::{Action, Authorizer, AuthorizerFactory, Decision, Deps, Misplaced, Question, StrategyError};

/// `incomingAuth.authz: { type: cedar }`: what callers may do stands in Cedar policies.
#[derive(Clone, Copy, Debug, Default)]
pub struct CedarFactory;

/// The entity type of groups where nothing else is said.
const GROUP_TYPE: &str = "THVGroup";

/// What a tool's annotations may say that policies can ask for.
const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

impl AuthorizerFactory for CedarFactory {
    const KIND: &'static str = "cedar";
    type Config = CedarConfig;

    fn build(&self, config: CedarConfig, deps: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
        let naming = deps.issuer.as_ref().map_or(Naming::Qualified, |issuer| Naming::Bare(Arc::clone(issuer)));
        Ok(Arc::new(Cedar::new(&config, naming)?))
    }
}

pub(super) struct Cedar {
    engine: Engine,
    policies: Policies,
    added: Added,
    /// How deep the deepest of all that is evaluated is.
    depth: usize,
    naming: Naming,
    types: Types,
    group_claim: Option<String>,
    role_claim: Option<String>,
}

/// The names of entity types, parsed once.
struct Types {
    client: EntityTypeName,
    group: EntityTypeName,
    action: EntityTypeName,
    tool: EntityTypeName,
    prompt: EntityTypeName,
    resource: EntityTypeName,
    server: EntityTypeName,
    backend: EntityTypeName,
}

impl Types {
    fn new(group: &str) -> Result<Self, Misplaced> {
        let wrong = |_| {
            let message = format!("`{group}` is no name of an entity type; give one word of letters, digits and underscores");
            Misplaced::new("groupEntityType", message)
        };
        let name = |name: &str| name.parse::<EntityTypeName>().map_err(wrong);
        if group.contains("::") {
            let message = format!("`{group}` has a namespace, which the type of groups cannot have; give the last part alone");
            return Err(Misplaced::new("groupEntityType", message));
        }
        Ok(Self {
            client: name("Client")?,
            group: name(group)?,
            action: name("Action")?,
            tool: name("Tool")?,
            prompt: name("Prompt")?,
            resource: name("Resource")?,
            server: name("MCP")?,
            backend: name("Backend")?,
        })
    }
}

impl Cedar {
    /// Builds it, or says all that is wrong.
    pub(super) fn new(config: &CedarConfig, naming: Naming) -> Result<Self, StrategyError> {
        let message = "they cannot be read: there is no memory for it, or they are beyond all bounds; make them shorter";
        with_room(|| Self::read(config, naming)).unwrap_or_else(|| Err(StrategyError::Settings(vec![Misplaced::new("policies", message)])))
    }

    fn read(config: &CedarConfig, naming: Naming) -> Result<Self, StrategyError> {
        let group_type = config.group_entity_type.as_deref().filter(|name| !name.is_empty()).unwrap_or(GROUP_TYPE);
        let mut reader = Reader::default();
        if config.policies.is_empty() && config.policy_files.is_empty() {
            let message = "there is no policy, so that nobody could do anything; give some under `policies` or `policyFiles`".to_owned();
            reader.wrong.push(Misplaced::new("policies", message));
        }
        let types = Types::new(group_type);
        let added = Added::parse(config.entities_json.as_deref());
        reader.inline(&config.policies);
        reader.files(&config.policy_files);
        match (types, added) {
            (Ok(types), Ok(added)) => {
                let world = World { added: &added, naming: &naming, group_type };
                let policies = reader.parse(&world);
                if reader.wrong.is_empty() {
                    let depth = policies.operators.max(added.levels).max(MAX_DEPTH);
                    let (group_claim, role_claim) = (config.group_claim_name.clone(), config.role_claim_name.clone());
                    return Ok(Self { engine: Engine::new(), policies, added, depth, naming, types, group_claim, role_claim });
                }
            }
            (types, added) => {
                reader.wrong.extend(types.err());
                reader.wrong.extend(added.err().map(|message| Misplaced::new("entitiesJson", message)));
            }
        }
        Err(StrategyError::Settings(reader.wrong))
    }

    /// What all policies say.
    fn ask(&self, question: &Question<'_>) -> Result<Tally, Cow<'static, str>> {
        let mut tally = Tally::default();
        for group in &self.policies.groups {
            let (request, entities, unknown) = self.put(question, &group.numbers)?;
            let response = self.engine.is_authorized(&request, &group.set, &entities);
            tally.add(group, (&request, &entities), &response, &unknown, question.is_call);
        }
        Ok(tally)
    }

    /// The request, its entities, and the claims and arguments that no policy can compare. `Err` says why nothing can be asked.
    fn put(&self, question: &Question<'_>, numbers: &Numbers) -> Result<(Request, Entities, Vec<String>), Cow<'static, str>> {
        let issuer = &*question.principal.issuer;
        let client = uid(&self.types.client, &self.naming.id(issuer, &question.principal.subject)?);
        let group_names = groups(question.groups, question.claims, self.group_claim.as_deref(), self.role_claim.as_deref());
        let above = group_names.iter().filter_map(|group| Some(uid(&self.types.group, &self.naming.id(issuer, group).ok()?)));
        let Values { known: claims, mut unknown } = Values::of_claims(question.claims, numbers);
        let about_client = [("issuer", issuer), ("subject", &*question.principal.subject)].map(|(name, value)| text(name, value));
        let principal = self.added.entity(client.clone(), claims.iter().cloned().chain(about_client), above);

        let (operation, feature, word, of) = match question.action {
            Action::GetPrompt => ("get", "prompt", "get_prompt", &self.types.prompt),
            Action::ReadResource => ("read", "resource", "read_resource", &self.types.resource),
            _ => ("call", "tool", "call_tool", &self.types.tool),
        };
        let action_uid = uid(&self.types.action, word);
        let action = self.added.entity(action_uid.clone(), [text("operation", word)], []);

        let of_arguments = |arguments| Values::of_arguments(arguments, numbers);
        let Values { known: arguments, unknown: more } = question.arguments.map_or_else(Values::default, of_arguments);
        unknown.extend(more);
        unknown.retain(|path| numbers.looks().at(path));
        unknown.sort();
        unknown.dedup();
        let mut about: HashMap<String, RestrictedExpression> = arguments.iter().cloned().collect();
        for hint in HINTS {
            let said = question.annotations.and_then(|annotations| annotations.get(hint)?.as_bool());
            about.extend(said.map(|said| (hint.to_owned(), RestrictedExpression::new_bool(said))));
        }
        // Last, so that nothing else can stand under these names.
        about.extend([
            text("name", question.name),
            text("operation", operation),
            text("feature", feature),
            text("backend", question.backend),
        ]);
        about.extend((question.action == Action::ReadResource).then(|| text("uri", question.name)));
        let resource_uid = uid(of, question.name);
        let within = [uid(&self.types.server, question.server), uid(&self.types.backend, question.backend)];
        let resource = self.added.entity(resource_uid.clone(), about, within);

        let unreadable = || Cow::Borrowed("the caller's claims or the call's arguments cannot be brought into Cedar's form");
        let context = Context::from_pairs(claims.into_iter().chain(arguments)).map_err(|_| unreadable())?;
        let own = [principal.ok_or_else(unreadable)?, action.ok_or_else(unreadable)?, resource.ok_or_else(unreadable)?];
        let entities = self.added.with(own).ok_or("the entities of `entitiesJson` are in each other")?;
        let request = Request::new(client, action_uid, resource_uid, context, None).map_err(|_| unreadable())?;
        Ok((request, entities, unknown))
    }
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}

impl Authorizer for Cedar {
    fn reads_arguments(&self) -> bool {
        self.policies.read_arguments()
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        match evaluating(self.depth, || self.ask(question)) {
            Ok(tally) => tally.decision(),
            Err(why) => {
                let mut decision = Decision::new(false);
                decision.errors = vec![why.into_owned()];
                decision
            }
        }
    }
}
