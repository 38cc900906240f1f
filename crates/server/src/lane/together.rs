//! Several futures of one kind in one task.

use std::{future::poll_fn, pin::Pin, task::Poll};

/// A future until it has ended, then its output.
type Slot<F, T> = (Option<Pin<Box<F>>>, Option<T>);

/// Runs all of them to their end, at the same time; the first error ends the rest.
pub(super) async fn together<F, T, E>(futures: Vec<Pin<Box<F>>>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut running: Vec<Slot<F, T>> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|cx| {
        let mut is_pending = false;
        for (slot, output) in &mut running {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(value)) => (*slot, *output) = (None, Some(value)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => is_pending = true,
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(running.into_iter().filter_map(|(_, output)| output).collect())
}

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

    async fn later(value: u32, turns: u32) -> Result<u32, &'static str> {
        for _ in 0..turns {
            yield_now().await;
        }
        if value == 0 { Err("zero") } else { Ok(value) }
    }

    #[tokio::test]
    async fn outputs_keep_their_order_and_the_first_error_ends_the_rest() {
        let of = |all: &[(u32, u32)]| all.iter().map(|(value, turns)| Box::pin(later(*value, *turns))).collect::<Vec<_>>();
        assert_eq!(together(of(&[(1, 3), (2, 0), (3, 1)])).await, Ok(vec![1, 2, 3]));
        assert_eq!(together(of(&[(1, 1_000_000), (0, 2)])).await, Err("zero"));
    }

    #[tokio::test]
    async fn what_runs_ends_in_its_own_time_and_what_is_stopped_never_does() {
        let mut running = Running::new();
        running.start('a', later(1, 5));
        running.start('b', later(2, 1));
        running.start('c', later(3, 1));
        running.stop(&'c');
        assert_eq!(running.next().await, ('b', Ok(2)));
        assert_eq!(running.next().await, ('a', Ok(1)));
        assert!(running.running.is_empty());
    }
}
