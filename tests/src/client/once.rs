//! One request over a connection of any kind, which ends with it.

use super::request::Request;
use crate::PATIENCE;
use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What came back.
#[derive(Clone, Debug)]
pub struct Once {
    /// The status code.
    pub status: u16,
    /// The head's lines after the first, in small letters.
    pub head: String,
    /// The same as they were sent.
    pub sent: String,
    /// What followed the head, with its framing.
    pub rest: String,
}

impl Once {
    /// The value of the first header of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.sent
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The body as JSON, from its first brace to its last.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        let begin = self.rest.find('{').context("no JSON")?;
        let end = self.rest.rfind('}').context("no JSON")?;
        serde_json::from_str(self.rest.get(begin..=end).context("no JSON")?).with_context(|| format!("not JSON: {}", self.rest))
    }
}

/// Sends a request that says that it is the last, and reads to the end.
///
/// # Errors
/// When the peer sends no HTTP, or takes longer than [`PATIENCE`].
pub async fn once(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &Request) -> Result<Once> {
    let bytes = request.clone().set("connection", "close").bytes();
    let mut read = Vec::new();
    let exchange = async {
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        stream.read_to_end(&mut read).await
    };
    tokio::time::timeout(PATIENCE, exchange).await.context("timed out")?.context("the exchange")?;
    let text = String::from_utf8_lossy(&read);
    let (head, rest) = text.split_once("\r\n\r\n").with_context(|| format!("no HTTP: {text:?}"))?;
    let (first, head) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).with_context(|| format!("no status: {first}"))?;
    Ok(Once { status, head: head.to_ascii_lowercase(), sent: head.to_owned(), rest: rest.to_owned() })
}
