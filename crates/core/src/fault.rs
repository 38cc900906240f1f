//! What every error of the gateway carries besides its message: whose fault it is and whether a retry is safe.

/// On whose side something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The caller sent something that cannot be served.
    Client,
    /// The gateway itself: its configuration, its limits, a defect.
    Gateway,
    /// The backend or the way to it.
    Backend,
}

/// Whether repeating the request can do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The request was never written to a backend, or was provably not run: repeating it is safe.
    Safe,
    /// The backend may have run the request.
    Unsafe,
    /// Repeating it as it is cannot succeed.
    Useless,
}
