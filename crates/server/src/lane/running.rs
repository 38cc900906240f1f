//! Futures that come and go, in one task.

use std::{future::poll_fn, pin::Pin, task::Poll};

/// Futures that come and go, each under a key.
pub(super) struct Running<K, F> {
    running: Vec<(K, Pin<Box<F>>)>,
}

impl<K: PartialEq + Clone, F: Future> Running<K, F> {
    pub(super) fn new() -> Self {
        Self { running: Vec::new() }
    }

    pub(super) fn start(&mut self, key: K, future: F) {
        self.running.push((key, Box::pin(future)));
    }

    /// Gives one up.
    pub(super) fn stop(&mut self, key: &K) {
        self.running.retain(|(known, _)| known != key);
    }

    /// The next one that ends. Waits for ever while there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> (K, F::Output) {
        poll_fn(|cx| {
            for at in 0..self.running.len() {
                let Some((_, future)) = self.running.get_mut(at) else { break };
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    let (key, _) = self.running.swap_remove(at);
                    return Poll::Ready((key, output));
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    async fn later(value: u32, turns: u32) -> u32 {
        for _ in 0..turns {
            yield_now().await;
        }
        value
    }

    #[tokio::test]
    async fn what_runs_ends_in_its_own_time_and_what_is_stopped_never_does() {
        let mut running = Running::new();
        running.start('a', later(1, 5));
        running.start('b', later(2, 1));
        running.start('c', later(3, 1));
        running.stop(&'c');
        assert_eq!(running.next().await, ('b', 2));
        assert_eq!(running.next().await, ('a', 1));
        assert!(running.running.is_empty());
    }
}
