//! What servers ask of their callers, between peers of every two eras.

mod logs;
#[path = "../named/mod.rs"]
mod named;
mod player;
mod questions;
mod urls;
mod waiting;
