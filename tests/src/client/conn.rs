//! One HTTP/1.1 connection.

use super::request::Request;
use crate::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use std::{io::ErrorKind, net::SocketAddr};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

/// What remains of the body that is being read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Remaining {
    Nothing,
    Bytes(usize),
    Chunks,
    UntilClose,
}

/// Status and headers of a response.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, without framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("status {}, not JSON: {}", self.status(), self.text()))
    }
}

/// A connection. Every operation gives up after [`PATIENCE`].
pub struct Conn {
    stream: BufReader<TcpStream>,
    remaining: Remaining,
    /// Whether the response that is being read ends the connection.
    closing: bool,
}

async fn patiently<T>(what: &str, work: impl Future<Output = std::io::Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.with_context(|| what.to_owned()),
        Err(_) => bail!("timed out: {what}"),
    }
}

impl Conn {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(addr: SocketAddr) -> Result<Self> {
        let stream = patiently("connecting", TcpStream::connect(addr)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), remaining: Remaining::Nothing, closing: false })
    }

    /// Connects with a receive buffer of a few KiB, so that a peer soon notices that nobody reads.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn narrow(addr: SocketAddr) -> Result<Self> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(8 * 1024)?;
        let stream = patiently("connecting", socket.connect(addr)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), remaining: Remaining::Nothing, closing: false })
    }

    /// The address of this end.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.stream.get_ref().local_addr()?)
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the peer has closed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        patiently("writing", self.stream.get_mut().write_all(bytes)).await
    }

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// When the peer has closed.
    pub async fn half_close(&mut self) -> Result<()> {
        patiently("half-closing", self.stream.get_mut().shutdown()).await
    }

    /// Whether the peer closes without writing anything more.
    ///
    /// # Errors
    /// When it does neither in time.
    pub async fn closes(&mut self) -> Result<bool> {
        let rest = patiently("waiting for the peer to close", async {
            let mut rest = Vec::new();
            match self.stream.read_to_end(&mut rest).await {
                Ok(_) => Ok(rest),
                Err(_) => Ok(Vec::new()),
            }
        });
        Ok(rest.await?.is_empty())
    }

    /// Hangs up, and waits until the peer has noticed: it closes then too. What belonged to the connection may go a moment later.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn hang_up(mut self) -> Result<()> {
        self.half_close().await?;
        self.closes().await?;
        Ok(())
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        patiently("reading a line", self.stream.read_until(b'\n', &mut line)).await?;
        ensure!(line.last() == Some(&b'\n'), "the peer closed the connection after {:?}", String::from_utf8_lossy(&line));
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// The head of a response, or `None` when the peer closes without one.
    ///
    /// # Errors
    /// When the peer does neither in time, or sends no HTTP.
    pub async fn head_or_end(&mut self) -> Result<Option<Head>> {
        let more = match patiently("waiting for an answer or the end", async { Ok(self.stream.fill_buf().await.map(<[u8]>::len)) }).await? {
            Ok(read) => read > 0,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(error) => return Err(error).context("waiting for an answer or the end"),
        };
        if more { self.head().await.map(Some) } else { Ok(None) }
    }

    /// Reads the head of a response; interim responses are skipped.
    ///
    /// # Errors
    /// When the peer closes or sends no HTTP.
    pub async fn head(&mut self) -> Result<Head> {
        loop {
            let line = self.line().await?;
            let text = String::from_utf8_lossy(&line);
            let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
            let status: u16 = status.with_context(|| format!("not a status line: {text:?}"))?;
            let mut headers = Vec::new();
            loop {
                let line = self.line().await?;
                if line.is_empty() {
                    break;
                }
                let colon = line.iter().position(|&byte| byte == b':').context("a header line without a colon")?;
                let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
                headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
            }
            if (100..200).contains(&status) {
                continue;
            }
            let head = Head { status, headers };
            self.closing = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            self.remaining = match (head.header("content-length"), head.header("transfer-encoding")) {
                _ if status == 204 || status == 304 => Remaining::Nothing,
                (Some(length), _) => Remaining::Bytes(length.parse().context("content-length")?),
                (None, Some(_)) => Remaining::Chunks,
                (None, None) => Remaining::UntilClose,
            };
            return Ok(head);
        }
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection ends before the body.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        match self.remaining {
            Remaining::Nothing | Remaining::Bytes(0) => Ok(None),
            Remaining::Bytes(left) => {
                let mut piece = vec![0; left.min(64 * 1024)];
                let read = patiently("reading a body", self.stream.read(&mut piece)).await?;
                ensure!(read > 0, "the peer closed {left} bytes before the end of the body");
                piece.truncate(read);
                self.remaining = Remaining::Bytes(left - read);
                Ok(Some(piece))
            }
            Remaining::Chunks => {
                let line = self.line().await?;
                let size = std::str::from_utf8(&line).ok().and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok());
                let size = size.with_context(|| format!("not a chunk size: {:?}", String::from_utf8_lossy(&line)))?;
                let mut piece = vec![0; size];
                patiently("reading a chunk", self.stream.read_exact(&mut piece)).await?;
                self.line().await?;
                if size == 0 {
                    self.remaining = Remaining::Nothing;
                    return Ok(None);
                }
                Ok(Some(piece))
            }
            Remaining::UntilClose => {
                let mut piece = vec![0; 64 * 1024];
                let read = patiently("reading a body", self.stream.read(&mut piece)).await?;
                piece.truncate(read);
                Ok((read > 0).then_some(piece))
            }
        }
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// When the connection ends before it.
    pub async fn body(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Reads a whole response.
    ///
    /// # Errors
    /// When the connection ends before it.
    pub async fn response(&mut self) -> Result<Response> {
        Ok(Response { head: self.head().await?, body: self.body().await? })
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// When the peer closes first.
    pub async fn exchange(&mut self, request: &Request) -> Result<Response> {
        self.write(&request.bytes()).await?;
        self.response().await
    }

    /// Whether the last response said that the connection ends with it.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }
}
