//! `vmcp tools count`.

use super::source::{Source, Tool};
use crate::{
    error::Failure,
    table::Table,
    terminal::{self, Terminal},
};
use serde_json::{Value, json};

/// What tools take.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Sum {
    tools: usize,
    bytes: usize,
}

/// English text and JSON have about four bytes a token in the tokenisers of common models.
const BYTES_PER_TOKEN: usize = 4;

impl Sum {
    fn add(&mut self, tool: &Tool) {
        self.tools += 1;
        self.bytes += tool.bytes;
    }

    fn tokens(self) -> usize {
        self.bytes.div_ceil(BYTES_PER_TOKEN)
    }

    fn cells(self, name: &str) -> [String; 4] {
        [name.to_owned(), self.tools.to_string(), self.bytes.to_string(), self.tokens().to_string()]
    }

    fn object(self) -> Value {
        json!({ "tools": self.tools, "bytes": self.bytes, "tokens": self.tokens() })
    }
}

/// Prints how many tools there are and how large their definitions.
pub(super) async fn run(source: &Source, json: bool, terminal: &Terminal) -> Result<(), Failure> {
    let (_, tools) = source.tools(terminal).await?;
    let (backends, total) = sums(&tools);
    if json {
        let backends = backends.iter().filter(|(name, _)| !name.is_empty()).map(|(name, sum)| {
            let mut object = sum.object();
            object["backend"] = (*name).into();
            object
        });
        let backends: Vec<Value> = backends.collect();
        terminal::print(json!({ "backends": backends, "total": total.object(), "tokensAre": "bytes / 4" }))?;
        return Ok(());
    }
    let mut table = Table::new(["BACKEND", "TOOLS", "BYTES", "TOKENS"]);
    for (name, sum) in backends.iter().filter(|(name, _)| !name.is_empty()) {
        table.row(sum.cells(name));
    }
    table.row(total.cells("all"));
    table.print()?;
    terminal::print("\nBYTES: the tools' definitions as JSON. TOKENS: an estimate, a quarter of the bytes.")?;
    Ok(())
}

/// The sums of each backend, in the order in which they come, and of all.
fn sums(tools: &[Tool]) -> (Vec<(&str, Sum)>, Sum) {
    let mut backends: Vec<(&str, Sum)> = Vec::new();
    let mut total = Sum::default();
    for tool in tools {
        total.add(tool);
        match backends.iter_mut().find(|(name, _)| *name == tool.backend) {
            Some((_, sum)) => sum.add(tool),
            None => {
                let mut sum = Sum::default();
                sum.add(tool);
                backends.push((&tool.backend, sum));
            }
        }
    }
    (backends, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_summed_by_backend_and_in_all() {
        let tool = |backend: &str, bytes| Tool { name: String::new(), description: String::new(), backend: backend.to_owned(), bytes };
        let tools = [tool("b", 5), tool("a", 100), tool("b", 3)];
        let (backends, total) = sums(&tools);
        assert_eq!(backends, [("b", Sum { tools: 2, bytes: 8 }), ("a", Sum { tools: 1, bytes: 100 })]);
        assert_eq!((total.tools, total.bytes, total.tokens()), (3, 108, 27));
        assert_eq!(Sum { tools: 1, bytes: 5 }.tokens(), 2);
    }
}
