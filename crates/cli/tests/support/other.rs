//! A server of another make: of the older era only, and with results and descriptions that no kind server has.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A running server. It ends with the test's process.
pub(crate) struct Other {
    pub(crate) url: String,
    /// The bodies of the calls that it got.
    pub(crate) calls: Arc<Mutex<Vec<String>>>,
}

impl Other {
    /// Starts a server with these tools (a JSON array), which answers every call with this result (JSON text).
    pub(crate) fn start(tools: &'static str, result: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let heard = Arc::clone(&heard);
                thread::spawn(move || serve(stream.unwrap(), tools, result, &heard));
            }
        });
        Self { url, calls }
    }
}

fn serve(stream: TcpStream, tools: &str, result: &str, calls: &Mutex<Vec<String>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((method, body)) = next(&mut reader) {
        let answer = if method == "POST" { answer(&body, tools, result, calls) } else { (405, String::new()) };
        let (status, text) = answer;
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        if writer.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

/// One request: its method and body.
fn next(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let method = line.split(' ').next()?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, String::from_utf8(body).ok()?))
}

fn answer(body: &str, tools: &str, result: &str, calls: &Mutex<Vec<String>>) -> (u16, String) {
    // Only what finds the way: numbers that no float holds are not read.
    let method = |name: &str| body.contains(&format!("\"method\":\"{name}\""));
    let id = body.split("\"id\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap_or("null");
    let good = |result: &str| (200, format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"));
    if method("initialize") {
        return good(r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"other","version":"1"}}"#);
    }
    if method("notifications/initialized") {
        return (202, String::new());
    }
    if method("tools/list") {
        return good(&format!("{{\"tools\":{tools}}}"));
    }
    if method("tools/call") {
        calls.lock().unwrap().push(body.to_owned());
        return good(result);
    }
    let id: Value = serde_json::from_str(id).unwrap_or_default();
    (200, format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"unknown method\"}}}}"))
}
