//! The load: connections that send one call after another, each checked, and nothing else.

use crate::{participant::Participant, report::Sample};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::{
    borrow::Cow,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vmcp_tests::{
    Era,
    client::{Conn, Rpc},
    proc_stat,
};

/// What one call carries: about a hundred bytes, as small tool calls do.
const ARGUMENTS: &str = r#"{"query":"weather in the mountains","limit":10,"units":"metric","tags":["one","two"]}"#;

/// The marker in a request that is replaced with its id; as long as every id.
const ID: &str = "1000000000";

/// One connection with its request, ready to send.
struct Lane {
    stream: TcpStream,
    request: Vec<u8>,
    id_at: usize,
    next: u64,
    buffer: Vec<u8>,
}

impl Lane {
    /// Opens a connection, and in the legacy era a session.
    async fn open(target: &Participant, era: Era) -> Result<Self> {
        let mut conn = Conn::open(target.addr).await?;
        let mut caller = target.caller(era);
        caller.initialize(&mut conn).await?;
        let request = caller.request(&Rpc::tool(&target.tool, ARGUMENTS), ID).bytes();
        let id_at = request.windows(ID.len()).rposition(|window| window == ID.as_bytes()).context("the request lost its id")?;
        let stream = TcpStream::connect(target.addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, id_at, next: 1_000_000_000, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// One call. An error is a wrong answer, or none.
    async fn call(&mut self) -> Result<()> {
        self.next += 1;
        let id = self.next.to_string();
        self.request[self.id_at..self.id_at + ID.len()].copy_from_slice(id.as_bytes());
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed");
            }
            if let Some(body) = complete(&self.buffer)? {
                return check(&body, self.next);
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The body once a response is whole. Anything but a 200 is an error.
fn complete(bytes: &[u8]) -> Result<Option<Cow<'_, [u8]>>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    if head.get(9..12) != Some(b"200") {
        bail!("status {}", String::from_utf8_lossy(head.get(9..12).unwrap_or_default()));
    }
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            let length: usize = std::str::from_utf8(line[15..].trim_ascii())?.parse()?;
            return Ok(body.get(..length).map(Cow::Borrowed));
        }
    }
    Ok(unchunked(body).map(Cow::Owned))
}

/// A chunked body without its marks, once it is whole.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(body.len());
    loop {
        let line = find(body, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).ok()?.trim(), 16).ok()?;
        whole.extend_from_slice(body.get(line + 2..line + 2 + size)?);
        body = body.get(line + 4 + size..)?;
        if size == 0 {
            return Some(whole);
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    result: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, rename = "isError")]
    is_error: bool,
    #[serde(rename = "structuredContent")]
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    limit: u64,
}

/// Whether this is the good answer to call `id`: in JSON, or in the last event of an SSE stream.
fn check(body: &[u8], id: u64) -> Result<()> {
    let json = match find(body, b"data: {") {
        Some(at) if !body.starts_with(b"{") => body[at + 6..].split(|&byte| byte == b'\n').next().unwrap_or_default(),
        _ => body,
    };
    let answer: Answer = serde_json::from_slice(json)?;
    ensure!(answer.id == id, "the answer to another call");
    ensure!(!answer.result.is_error && answer.result.content.limit == 10, "a failed call");
    Ok(())
}

/// Loads a participant for a while.
pub(crate) async fn measure(target: &Participant, era: Era, connections: usize, length: Duration) -> Result<Sample> {
    let mut lanes = Vec::new();
    for _ in 0..connections {
        let mut lane = Lane::open(target, era).await.with_context(|| format!("connecting to {}", target.name))?;
        lane.call().await.with_context(|| format!("the first call through {}", target.name))?;
        lanes.push(lane);
    }
    let warm = length / 10;
    let cpu = || target.pid.map_or(Ok(Duration::ZERO), proc_stat::cpu);
    let start = Instant::now() + warm;
    let end = start + length;
    let tasks: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(run(lane, start, end))).collect();
    tokio::time::sleep_until(start.into()).await;
    let (machine, own, before) = (proc_stat::machine()?, proc_stat::cpu(std::process::id())?, cpu()?);
    tokio::time::sleep_until(end.into()).await;
    let spent = cpu()?.saturating_sub(before);
    let (machine, own) = (proc_stat::machine()?.saturating_sub(machine), proc_stat::cpu(std::process::id())?.saturating_sub(own));
    let mut micros = Vec::new();
    let mut errors = 0;
    for task in tasks {
        let (times, failed) = task.await?;
        micros.extend(times);
        errors += failed;
    }
    // Calls that outlast the time, as those of slow participants do, belong to it as well.
    let elapsed = length.max(Instant::now() - start).as_secs_f64();
    micros.sort_unstable();
    let at = |share: f64| micros.get(((micros.len() as f64 * share) as usize).min(micros.len().saturating_sub(1))).copied().unwrap_or(0);
    let calls = micros.len();
    Ok(Sample {
        per_second: calls as f64 / elapsed,
        p50: f64::from(at(0.50)) / 10.0,
        p99: f64::from(at(0.99)) / 10.0,
        cpu: spent.as_secs_f64() * 1000.0 / calls.max(1) as f64,
        errors,
        foreign: machine.saturating_sub(own).as_secs_f64() / length.as_secs_f64(),
    })
}

/// Calls until `end`; what is answered after `start` counts. Times are tenths of microseconds.
async fn run(mut lane: Lane, start: Instant, end: Instant) -> (Vec<u32>, u64) {
    let mut times = Vec::with_capacity(1 << 16);
    let mut errors = 0;
    while Instant::now() < end {
        let begun = Instant::now();
        match lane.call().await {
            Ok(()) if Instant::now() >= start => times.push(u32::try_from(begun.elapsed().as_nanos() / 100).unwrap_or(u32::MAX)),
            Ok(()) => {}
            Err(_) => {
                errors += 1;
                // A connection that failed once says nothing more about the calls after it.
                break;
            }
        }
    }
    (times, errors)
}
