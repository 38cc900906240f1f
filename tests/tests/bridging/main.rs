//! What servers ask of their callers, between peers of every two eras.

mod logs;
mod player;
mod questions;
mod urls;
mod waiting;
