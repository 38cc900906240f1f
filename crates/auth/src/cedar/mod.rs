//! Authorization by Cedar policies: `authz: { type: cedar, … }`.
//!
//! What is asked is put into the entities that ToolHive's vMCP has, so that its policies work here:
//!
//! | | |
//! | --- | --- |
//! | principal | `Client::"<subject>"`, in `THVGroup::"<group>"` for each group, with `issuer`, `subject` and `claim_<name>` |
//! | action | `Action::"call_tool"`, `Action::"get_prompt"`, `Action::"read_resource"`, with `operation` |
//! | resource | `Tool::"<name>"`, `Prompt::"<name>"`, `Resource::"<uri>"`, in `MCP::"<server>"` and `Backend::"<backend>"`, with `name`, `operation`, `feature`, `backend`, `uri`, the hints of a tool, `arg_<name>` and `arg_<name>_present` |
//! | context | `claim_<name>` and `arg_<name>`; `arg_<name>_present` for one that is null, an array, an object or a number that Cedar has no value for |
//!
//! Where callers come from more than one issuer, subjects and groups carry theirs: `Client::"<issuer>#<subject>"`.

mod compared;
mod config;
mod decide;
mod depth;
mod entities;
mod errors;
mod literals;
mod looks;
mod nesting;
mod numbers;
mod path;
mod policies;
mod position;
mod principal;
mod tally;
mod value;

#[cfg(test)]
mod tests;

pub use config::CedarConfig;
pub use decide::CedarFactory;
