//! What servers ask of their callers, between peers of every two eras.

mod logs;
#[path = "../named/mod.rs"]
mod named;
#[path = "../paged/mod.rs"]
mod paged;
mod pages;
mod player;
mod questions;
#[path = "../served/mod.rs"]
mod served;
mod urls;
mod waiting;
