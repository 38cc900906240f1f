//! What tools are called with: something of the right type for every required argument.

use rmcp::model::Tool;
use serde_json::{Map, Value, json};

/// A call of each tool, in the order of the list.
pub(crate) fn for_all(tools: &[Tool]) -> Vec<(String, Value)> {
    tools.iter().map(|tool| (tool.name.to_string(), Value::Object(for_one(tool, tools)))).collect()
}

fn for_one(tool: &Tool, tools: &[Tool]) -> Map<String, Value> {
    // This tool wants back what the client was shown as another one's schema.
    if tool.name == "json_schema_echo" {
        let shown = tools.iter().find(|tool| tool.name == "json_schema_2020_12_tool");
        return Map::from_iter([("schema".to_owned(), json!(shown.map(|tool| &tool.input_schema)))]);
    }
    let required = tool.input_schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let schema = |name: &str| tool.input_schema.get("properties").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
    required.map(|name| (name.to_owned(), value(schema(name)))).collect()
}

fn value(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer") => json!(2),
        Some("number") => json!(2.5),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        Some("null") => Value::Null,
        _ => json!("a value"),
    }
}
