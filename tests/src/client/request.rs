//! A request as bytes.

/// One HTTP request, with headers in order and values of any bytes.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub verb: String,
    /// The request target.
    pub path: String,
    /// Header lines in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request to `/mcp` with a `Host` of loopback and no other header.
    #[must_use]
    pub fn new(verb: &str) -> Self {
        Self { verb: verb.to_owned(), path: "/mcp".to_owned(), headers: vec![("host".to_owned(), b"127.0.0.1".to_vec())], body: Vec::new() }
    }

    /// A POST of a JSON text, as an MCP client sends it.
    #[must_use]
    pub fn post(body: impl Into<Vec<u8>>) -> Self {
        let mut request =
            Self::new("POST").header("content-type", "application/json").header("accept", "application/json, text/event-stream");
        request.body = body.into();
        request
    }

    /// A GET of another path.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::new("GET") }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Replaces every line of a header with one.
    #[must_use]
    pub fn set(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).header(name, value)
    }

    /// Removes a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The head with its empty line, for a body of `length` bytes; without a length nothing is said about a body.
    #[must_use]
    pub fn head(&self, length: Option<usize>) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.verb, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if let Some(length) = length {
            bytes.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// The whole request.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let needs_length = self.verb == "POST" || !self.body.is_empty();
        let mut bytes = self.head(needs_length.then_some(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
