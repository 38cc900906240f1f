//! Which backend a resource's URI belongs to.

mod origin;
mod router;
mod template;

pub(super) use router::{MAX_WORK, UriRouter, UriRouterBuilder};
pub use template::TemplateError;
pub(super) use template::UriTemplate;
