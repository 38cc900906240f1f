//! Who ends processes that plugins started, when the gateway cannot any more.

/// Ends process groups, should the gateway be killed and end nothing itself.
pub trait Overseer: Send + Sync + 'static {
    /// A process is about to be started: what can be done before it runs is done now, so that it is not without an overseer meanwhile.
    fn prepare(&self) {}

    /// A process was started as the leader of a group of its own, which has the leader's id.
    fn watch(&self, leader: u32);

    /// The group was ended.
    fn forget(&self, leader: u32);
}
