//! Many wait for the same answer, one asks.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// The rounds of asking that are under way, by what is asked. Holds as many as there are callers that wait.
pub(super) struct Rounds<K, V>(Mutex<HashMap<K, Round<V>>>);

struct Round<V> {
    answer: Arc<OnceCell<V>>,
    waiting: usize,
}

impl<K, V> Default for Rounds<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Lets go of a round when the last one who waited for it goes, answered or not: an answer is for those who asked, and for nobody later.
struct Waiting<'a, K: Eq + Hash, V> {
    rounds: &'a Rounds<K, V>,
    key: &'a K,
}

impl<K: Eq + Hash, V> Rounds<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Round<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Drop for Waiting<'_, K, V> {
    fn drop(&mut self) {
        let mut rounds = self.rounds.lock();
        if let Some(round) = rounds.get_mut(self.key) {
            round.waiting -= 1;
            if round.waiting == 0 {
                rounds.remove(self.key);
            }
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Rounds<K, V> {
    /// The answer, asked for once for all who want it at the same time. When whoever asks goes away, another asks in its place.
    pub(super) async fn run<F: Future<Output = V>>(&self, key: K, ask: impl FnOnce() -> F) -> V {
        let answer = {
            let mut rounds = self.lock();
            let round = rounds.entry(key.clone()).or_insert_with(|| Round { answer: Arc::default(), waiting: 0 });
            round.waiting += 1;
            Arc::clone(&round.answer)
        };
        let _waiting = Waiting { rounds: self, key: &key };
        answer.get_or_init(ask).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::task::yield_now;

    #[tokio::test]
    async fn each_question_is_asked_once_at_a_time_and_leaves_nothing_behind() {
        let rounds = Rounds::<&str, u32>::default();
        let asked = AtomicU32::new(0);
        let ask = || async {
            yield_now().await;
            asked.fetch_add(1, Ordering::Relaxed)
        };
        let (a, b, c) = tokio::join!(rounds.run("a", ask), rounds.run("a", ask), rounds.run("b", ask));
        assert!(a == b && a != c, "{a} {b} {c}");
        assert!(rounds.lock().is_empty());
        let mut gone = Box::pin(rounds.run("a", || async { std::future::pending::<u32>().await }));
        tokio::select! { biased; _ = &mut gone => unreachable!(), () = yield_now() => {} }
        assert_eq!(rounds.lock().len(), 1);
        drop(gone);
        assert!(rounds.lock().is_empty());
    }

    #[test]
    fn an_answer_is_for_those_who_asked_and_for_nobody_later() {
        let rounds = Rounds::<u32, u32>::default();
        for turn in 0..500 {
            let asks = || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                assert_eq!(runtime.block_on(rounds.run(1, || async { turn })), turn);
            };
            std::thread::scope(|threads| (0..2).for_each(|_| _ = threads.spawn(asks)));
            assert!(rounds.lock().is_empty(), "turn {turn}");
        }
    }
}
