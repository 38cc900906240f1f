//! What is said to a session in order, one message at a time: of those that wait, the newest alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place of one kind of message to one session.
pub(crate) struct Latest<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    newest: Option<T>,
    is_sending: bool,
}

/// One run of sending: until there is nothing more, or nobody goes on with it.
pub(crate) struct Run<T> {
    latest: Latest<T>,
    is_over: bool,
}

impl<T> Latest<T> {
    /// Puts a message there, in place of one that waits. Whoever gets a run sends what there is.
    pub(crate) fn put(&self, message: T) -> Option<Run<T>> {
        let mut state = self.state();
        state.newest = Some(message);
        (!std::mem::replace(&mut state.is_sending, true)).then(|| Run { latest: self.clone(), is_over: false })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Run<T> {
    /// What is to be sent now.
    pub(crate) fn next(&mut self) -> Option<T> {
        let mut state = self.latest.state();
        let next = state.newest.take();
        state.is_sending = next.is_some();
        self.is_over = next.is_none();
        next
    }
}

impl<T> Drop for Run<T> {
    fn drop(&mut self) {
        // What was given up leaves nobody's headers behind.
        if !self.is_over {
            *self.latest.state() = State { newest: None, is_sending: false };
        }
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { newest: None, is_sending: false })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_sends_the_newest_of_what_waits() {
        let latest = Latest::default();
        let mut run = latest.put(1).unwrap();
        assert_eq!(run.next(), Some(1));
        assert!(latest.put(2).is_none() && latest.put(3).is_none(), "it is the run's");
        assert_eq!((run.next(), run.next()), (Some(3), None));
        assert!(latest.put(4).is_some(), "a new run, given up at once");
        assert_eq!(latest.put(5).unwrap().next(), Some(5));
    }
}
