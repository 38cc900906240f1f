//! Whether the listener fits those who call: no credential travels in the open, nobody from elsewhere counts as local, and where they log in
//! there is nothing else.

use super::Planner;
use crate::edge::check_tls;
use vmcp_core::{
    config::{Problem, index_path, key_path},
    plugin::{Authenticator, SettingWarning, config_key},
};

impl Planner<'_> {
    pub(super) fn listener(&mut self, authenticator: Option<&dyn Authenticator>) {
        let config = self.config;
        if let Some(Err(error)) = config.listen.tls.as_ref().map(check_tls) {
            let path = format!("listen.tls.{}", error.key);
            if error.is_absent {
                self.absent(path, error.to_string(), "put the file there, or correct the path");
            } else {
                self.problems.push(Problem::error(path, error.to_string()).with_hint("give another PEM file"));
            }
        }
        let Some(authenticator) = authenticator else { return };
        let kind = &config.incoming_auth.kind;
        if let Some(address) = config.listen.address
            && config.listen.is_readable_on_the_way()
            && !authenticator.consumed_headers().is_empty()
        {
            let message = format!("callers would send their credentials (`{kind}`) to {address} unencrypted");
            let hint = "add `tls`, or say `behindTlsProxy: true` where a proxy in front speaks TLS, or listen on 127.0.0.1";
            self.problems.push(Problem::error("listen", message).with_hint(hint));
        }
        if authenticator.is_local() && !config.is_local() {
            let message = format!("`{kind}` takes everybody who connects for a user of this machine, and others can connect");
            let hint = "listen on 127.0.0.1 or at a Unix socket, with nothing in front of it, or choose another `type`";
            self.problems.push(Problem::error("incomingAuth.type", message).with_hint(hint));
        }
        let own = key_path("incomingAuth", &config_key(kind));
        let warning = |it: &SettingWarning| Problem::warning(format!("{own}.{}", it.place), &*it.message).with_hint(it.hint);
        self.problems.extend(authenticator.warnings().iter().map(warning));
        self.pages(authenticator.page_paths());
    }

    /// Nothing may be where clients log in: they find both by the path alone.
    fn pages(&mut self, pages: &[&str]) {
        let config = self.config;
        let root = config.path.trim_end_matches('/');
        let backends = config.backends.iter().enumerate();
        let backends = backends.map(|(index, one)| (key_path(&index_path("backends", index), "name"), format!("{root}/{}", one.name)));
        let endpoints = config.endpoints.iter().enumerate();
        let endpoints = endpoints.map(|(index, one)| (key_path(&index_path("endpoints", index), "path"), one.path.clone()));
        let own = [Some(("path".to_owned(), config.path.clone())), config.sse_path.clone().map(|path| ("ssePath".to_owned(), path))];
        for (key, path) in own.into_iter().flatten().chain(backends).chain(endpoints).filter(|(_, path)| pages.contains(&path.as_str())) {
            let hint = if key.ends_with(".name") {
                "give the backend another name, or leave `path` at one of its own, such as /mcp"
            } else {
                "choose another path"
            };
            self.problems.push(Problem::error(key, format!("clients log in at {path}: nothing else can be there")).with_hint(hint));
        }
    }
}
