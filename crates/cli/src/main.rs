//! vmcp
fn main() {}
