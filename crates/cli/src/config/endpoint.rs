//! One endpoint of a configuration, for commands that look at one.

use anyhow::bail;
use vmcp_core::config::Config;

/// What a gateway with this endpoint alone would be configured with: the one under `endpoints` with this path, or the one of all
/// backends where no path is given.
///
/// # Errors
/// When there is no such endpoint; the error says which there are.
pub(crate) fn at_endpoint(config: Config, path: Option<&str>) -> anyhow::Result<Config> {
    let paths = || config.endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect::<Vec<_>>().join(", ");
    let plain = |path: &str| path.trim_end_matches('/').to_owned();
    match path {
        Some(path) if plain(path) != plain(&config.path) => {
            match config.endpoint_configs().find(|endpoint| plain(&endpoint.config.path) == plain(path)) {
                Some(endpoint) => Ok(endpoint.config),
                None if config.endpoints.is_empty() => bail!("there are no endpoints but {}; leave --endpoint out", config.path),
                None => bail!("there is no endpoint `{path}`; there are {}, {}", config.path, paths()),
            }
        }
        _ if config.backends.is_empty() && !config.endpoints.is_empty() => {
            bail!("the top level has no backends; choose an endpoint with --endpoint: {}", paths())
        }
        _ => Ok(Config { endpoints: Vec::new(), ..config }),
    }
}
