//! Which backend a resource's URI belongs to.

mod origin;
mod router;
mod template;

pub(super) use router::{UriRouter, UriRouterBuilder};
pub use template::TemplateError;
pub(super) use template::UriTemplate;
