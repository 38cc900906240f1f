//! An endpoint as the configuration of a gateway of its own, so that everything that holds for a gateway holds for it.

use super::{Endpoint, EndpointBackend, UsedBackend, places::Places};
use crate::config::{Aggregation, Backend, Config, Operational, OutgoingAuth, Problem, Timeouts, WorkloadTools};

/// The configuration of one endpoint, as a gateway of its own would have it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// The configuration. It has no endpoints. What cannot be found at the top level is left out.
    pub config: Config,
    places: Places,
}

impl Config {
    /// Each of the `endpoints` as a configuration of its own, in order.
    pub fn endpoint_configs(&self) -> impl Iterator<Item = EndpointConfig> {
        self.endpoints.iter().enumerate().map(|(index, endpoint)| EndpointConfig::new(self, index, endpoint))
    }
}

impl EndpointConfig {
    fn new(top: &Config, index: usize, endpoint: &Endpoint) -> Self {
        let mut places = Places::new(index, endpoint);
        let mut backends = Vec::with_capacity(endpoint.backends.len());
        for (element, entry) in endpoint.backends.iter().enumerate() {
            if let Some((backend, place)) = resolve(top, entry) {
                places.add(element, entry, place.map(|place| (place, top.backends[place].name.as_str())), &backend.name);
                backends.push(backend);
            }
        }
        let config = Config {
            name: endpoint.name.clone().unwrap_or_else(|| top.name.clone()),
            path: endpoint.path.clone(),
            sse_path: None,
            instructions: endpoint.instructions.clone(),
            passthrough_headers: endpoint.passthrough_headers.clone(),
            allow_credential_header_passthrough: endpoint.allow_credential_header_passthrough,
            outgoing_auth: endpoint.outgoing_auth.clone().unwrap_or_else(|| outgoing_auth(top, &places)),
            aggregation: endpoint.aggregation.clone().unwrap_or_else(|| aggregation(&top.aggregation, &places)),
            operational: Operational { timeouts: timeouts(top, &places), ..top.operational.clone() },
            // A path has no `%`, so no two endpoints have one folder.
            state_dir: top.state_dir.as_ref().map(|folder| folder.join(format!("endpoint{}", endpoint.path.replace('/', "%2F")))),
            backends,
            endpoints: Vec::new(),
            ..top.clone()
        };
        Self { config, places }
    }

    /// What is wrong with [`Self::config`], as told of the file that it was made of. `None` for what is no business of the endpoint's
    /// alone: `told` are the problems of the top level, which has them too.
    #[must_use]
    pub fn in_file(&self, problem: Problem, told: &[Problem]) -> Option<Problem> {
        self.places.in_file(problem, told)
    }
}

/// A backend of an endpoint, and where it stands at the top level, if it does. `None` when it is none of the top level's.
fn resolve(top: &Config, entry: &EndpointBackend) -> Option<(Backend, Option<usize>)> {
    let find = |name: &str| top.backends.iter().position(|backend| backend.name == *name);
    match entry {
        EndpointBackend::Name(name) => find(name).map(|place| (top.backends[place].clone(), Some(place))),
        EndpointBackend::Used(used) => find(&used.from).map(|place| (changed(&top.backends[place], used), Some(place))),
        EndpointBackend::Own(backend) => Some(((**backend).clone(), None)),
    }
}

fn changed(backend: &Backend, used: &UsedBackend) -> Backend {
    let UsedBackend { from: _, name, headers, passthrough_headers, inherit_passthrough_headers, allow_credential_header_passthrough } =
        used;
    let own = backend.clone();
    Backend {
        name: name.clone().unwrap_or(own.name),
        headers: headers.clone().unwrap_or(own.headers),
        passthrough_headers: passthrough_headers.clone().unwrap_or(own.passthrough_headers),
        inherit_passthrough_headers: inherit_passthrough_headers.unwrap_or(own.inherit_passthrough_headers),
        allow_credential_header_passthrough: allow_credential_header_passthrough.unwrap_or(own.allow_credential_header_passthrough),
        ..own
    }
}

/// The strategies that the top level's backends have there.
fn outgoing_auth(top: &Config, places: &Places) -> OutgoingAuth {
    let auth = &top.outgoing_auth;
    let strategy = |from: &str| auth.backends.get(from).or(auth.default.as_ref()).cloned();
    let backends = places.used().filter_map(|(name, from)| Some((name.to_owned(), strategy(from)?)));
    OutgoingAuth { source: auth.source, default: None, backends: backends.collect() }
}

/// The top level's rules, for the backends that are used from there under their names here.
fn aggregation(top: &Aggregation, places: &Places) -> Aggregation {
    let names = |from: &String| places.used().filter(move |(_, used)| used == from).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    let tools = top.tools.iter().flat_map(|entry| {
        let entries = names(&entry.workload).into_iter();
        entries.map(|workload| WorkloadTools { workload, ..entry.clone() }).collect::<Vec<_>>()
    });
    let mut rules = Aggregation { tools: tools.collect(), ..top.clone() };
    let order = &mut rules.conflict_resolution_config.priority_order;
    *order = order.iter().flat_map(names).collect();
    rules
}

fn timeouts(top: &Config, places: &Places) -> Timeouts {
    let all = &top.operational.timeouts;
    let own = places.used().filter_map(|(name, from)| Some((name.to_owned(), *all.per_workload.get(from)?)));
    Timeouts { default: all.default, per_workload: own.collect() }
}
