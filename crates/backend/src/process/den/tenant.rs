//! One of those who talk to a process: what it sends, but for what of the handshake the process has heard from another.

use super::{Den, Turn};
use crate::{ErrorKind, outgoing::Audience, pipe::Pipe, session::Switch};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use vmcp_core::{
    frame::{Message, response_head, single_line},
    plugin::BoxFuture,
};

/// One way to a process.
pub(super) struct Tenant {
    den: Arc<Den>,
    switch: Arc<Switch>,
    /// Nothing of the handshake is to come: messages need no look.
    is_greeted: AtomicBool,
}

impl Tenant {
    /// `greets`: whether its first message is `initialize`.
    pub(super) fn new(den: &Arc<Den>, switch: &Arc<Switch>, greets: bool) -> Self {
        Self { den: Arc::clone(den), switch: Arc::clone(switch), is_greeted: AtomicBool::new(!greets) }
    }

    /// Whether the message has to be written, after looking at what belongs to the handshake.
    async fn is_to_be_sent(&self, message: &Bytes) -> Result<bool, ErrorKind> {
        let Ok((messages, _)) = Message::parse_batch(message, 1) else { return Ok(true) };
        match messages.first() {
            Some(Message::Request(request)) if request.method == "initialize" => self.greet(request.id.raw()).await,
            Some(Message::Notification(notification)) if notification.method == "notifications/initialized" => {
                self.is_greeted.store(true, Ordering::Relaxed);
                Ok(self.den.confirms())
            }
            _ => Ok(true),
        }
    }

    async fn greet(&self, id: &str) -> Result<bool, ErrorKind> {
        let mut changed = self.den.changed.subscribe();
        loop {
            match self.den.turn(&self.switch, id) {
                Turn::Ask => return Ok(true),
                Turn::Over(why) => return Err(why),
                Turn::Have(result) => {
                    let mut answer = response_head(id, result.len() + 1);
                    answer.extend_from_slice(&result);
                    answer.push(b'}');
                    if let Some(backend) = self.den.backend.upgrade() {
                        self.switch.route(&backend, &answer.into(), &|_| ());
                    }
                    return Ok(false);
                }
                Turn::Wait => _ = changed.changed().await,
            }
        }
    }
}

impl Pipe for Tenant {
    fn send<'a>(&'a self, message: Bytes, _: Audience<'a>) -> BoxFuture<'a, Result<(), ErrorKind>> {
        Box::pin(async move {
            if !self.is_greeted.load(Ordering::Relaxed) && !self.is_to_be_sent(&message).await? {
                return Ok(());
            }
            let Some(pipe) = self.den.pipe.get() else { return Err(ErrorKind::ShuttingDown) };
            let sent = pipe.put(single_line(message)).await;
            // Why it takes no more is known by then, or soon.
            sent.map_err(|error| self.den.end().unwrap_or(error))
        })
    }

    fn close(&self) {
        self.den.leave(&self.switch);
        self.switch.end(ErrorKind::Lost("the session was closed".to_owned()));
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.den.leave(&self.switch);
    }
}
