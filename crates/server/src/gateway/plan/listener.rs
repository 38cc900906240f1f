//! Whether the listener fits those who call: no credential travels in the open, and nobody from elsewhere counts as local.

use super::Planner;
use crate::edge::check_tls;
use vmcp_core::{config::Problem, plugin::Authenticator};

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
    }
}
