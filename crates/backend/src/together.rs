//! Several futures at once, in one task.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// A future among others.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs all of them to their end; the first error ends the rest.
pub(crate) async fn together<T, E>(futures: Vec<Boxed<'_, Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut running: Vec<_> = futures.into_iter().map(Some).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (slot, output) in running.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(value)) => (*slot, *output) = (None, Some(value)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(done.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    fn later(value: u32, turns: u32) -> Boxed<'static, Result<u32, &'static str>> {
        Box::pin(async move {
            for _ in 0..turns {
                yield_now().await;
            }
            if value == 0 { Err("zero") } else { Ok(value) }
        })
    }

    #[tokio::test]
    async fn outputs_keep_their_order() {
        assert_eq!(together(vec![later(1, 3), later(2, 0), later(3, 1)]).await, Ok(vec![1, 2, 3]));
        assert_eq!(together::<u32, ()>(vec![]).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn the_first_error_ends_the_rest() {
        assert_eq!(together(vec![Box::pin(std::future::pending()), later(0, 2)]).await, Err("zero"));
    }
}
