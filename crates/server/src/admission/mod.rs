//! What callers may see and do: the one place where an authorizer is asked.
//!
//! A *grant* is whoever something is allowed to, as the credential of one request says. Calls are decided one by one, after it is known
//! whose the item is; what is denied is answered like a name that nobody has. Lists are cut down to what is allowed: decisions are kept for
//! each grant and catalogue, and what they leave of it for each set of decisions, which is the same for many.

mod decided;
mod digest;
mod grant;
mod item;
mod shown;

pub(crate) use decided::{Admission, Denied};
pub(crate) use digest::rights;
pub(crate) use grant::Grant;
pub(crate) use item::{Asks, Item};
