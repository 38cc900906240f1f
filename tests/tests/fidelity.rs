//! What a gateway only carries arrives byte for byte.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json, value::RawValue};
use std::collections::HashMap;
use vmcp_tests::{
    Era,
    client::{Reply, Rpc},
    fixture::{Fixture, Recorded, Spec},
    process::Vmcp,
};

/// JSON texts that a decoder and encoder would not give back.
const TEXTS: [&str; 12] = [
    r#"{}"#,
    r#"{ "z" : 1 , "a" : 2 }"#,
    r#"{"big":12345678901234567890123,"exp":1E400,"zero":-0.0,"tail":1.50,"int":9007199254740993}"#,
    r#"{"u":"\u00e4\ud83d\ude00 ä😀 \/ \b\f \u0000"}"#,
    r#"{"deep":[[[[[[[[{"x":[]}]]]]]]]],"null":null,"true":true}"#,
    "{\n\t\"lines\" : [\r\n 1 ]\n}",
    r#"{"":"","\u0061":1,"_meta":{"x":1},"name":"other","jsonrpc":"1.0","id":null}"#,
    r#"{"result":{"id":7},"error":{"code":1},"method":"tools/call"}"#,
    r#"{"html":"<script>&amp;</script>","sep":"\u2028\u2029","del":""}"#,
    r#"{"quote":"\"}]","backslash":"\\","brace":"{[,:"}"#,
    r#"{"long key with spaces and : and ,":[1,2 , 3,{"a":{}}]}"#,
    r#"{"n":[0,-1,1e-7,1E+2,0.1e1]}"#,
];

/// The raw members of an object.
fn members(raw: &str) -> Result<HashMap<String, Box<RawValue>>> {
    serde_json::from_str(raw).with_context(|| format!("not an object: {raw}"))
}

async fn pair(backend: Era, sse: bool) -> Result<(Fixture, Vmcp)> {
    let spec = Spec::new("b", backend);
    Vmcp::with_backend(if sse { spec.sse() } else { spec }).await
}

/// The text with line ends between tokens as spaces: SSE cannot carry them, whoever writes it.
fn on_one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// A result of a fixture of this era around these members.
fn complete(era: Era, members: &str) -> String {
    if era == Era::Modern { format!(r#"{{"resultType":"complete",{members}}}"#) } else { format!("{{{members}}}") }
}

/// The member of `params` of a request that a backend was sent.
fn param(request: &Recorded, name: &str) -> Result<String> {
    let message = members(std::str::from_utf8(&request.body)?)?;
    let params = members(message.get("params").context("no params")?.get())?;
    Ok(params.get(name).with_context(|| format!("no {name} in {params:?}"))?.get().to_owned())
}

/// Asserts that a result is the backend's own text, where no era asks for anything else; beside the line ends that SSE cannot carry.
fn unchanged(reply: &Reply, sent: &str, sse: bool, what: &str) -> Result<()> {
    let got = reply.raw_result().with_context(|| what.to_owned())?;
    if sse || reply.response.head.header("content-type") != Some("application/json") {
        assert_eq!(on_one_line(got), on_one_line(sent), "{what}");
    } else {
        assert_eq!(got, sent, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn arguments_arrive_and_return_byte_for_byte() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let (fixture, vmcp) = pair(backend, sse).await?;
            let mut client = vmcp.client(caller).await?;
            for text in TEXTS {
                let what = format!("{caller:?} caller, {backend:?} backend, SSE {sse}: {text}");
                let reply = client.call("b_echo", text).await?;
                let result = members(reply.raw_result().with_context(|| what.clone())?)?;
                assert_eq!(param(fixture.calls().last().context("no call")?, "arguments")?, text, "{what}");
                let returned = result["structuredContent"].get();
                assert_eq!(on_one_line(returned), on_one_line(text), "{what}\nreturned as {returned}");
                if !sse && reply.response.head.header("content-type") == Some("application/json") {
                    assert_eq!(returned, text, "nothing here needs another line end");
                }
                if caller == backend {
                    let echoed = format!(r#""content":[{{"type":"text","text":"echo"}}],"structuredContent":{text}"#);
                    unchanged(&reply, &complete(backend, &echoed), sse, &what)?;
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn resources_and_prompts_arrive_byte_for_byte() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let (fixture, vmcp) = pair(backend, sse).await?;
            let mut client = vmcp.client(caller).await?;
            let what = format!("{caller:?} caller, {backend:?} backend, SSE {sse}");
            let reply = client.send(&Rpc::read("fixture://b/text")).await?;
            let contents = r#"[{"uri":"fixture://b/text","mimeType":"text/plain","text":"read from b","x-vendor":1.50}]"#;
            assert_eq!(members(reply.raw_result()?)?["contents"].get(), contents, "{what}");
            if caller == backend {
                let caching = if backend == Era::Modern { r#","ttlMs":0,"cacheScope":"public""# } else { "" };
                unchanged(&reply, &complete(backend, &format!(r#""contents":{contents}{caching}"#)), sse, &what)?;
            }
            for text in TEXTS {
                let reply = client.send(&Rpc::prompt("b_greet", text)).await?;
                let request = fixture.requests_of("prompts/get").pop().context("no prompts/get")?;
                assert_eq!(param(&request, "arguments")?, text, "{what}");
                let messages = format!(r#"[{{"role":"user","content":{{"type":"text","text":{}}}}}]"#, json!(text));
                assert_eq!(members(reply.raw_result()?)?["messages"].get(), messages, "{what}");
                if caller == backend {
                    let prompt = format!(r#""description":"A greeting","messages":{messages}"#);
                    unchanged(&reply, &complete(backend, &prompt), sse, &what)?;
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_member_of_a_result_arrives_byte_for_byte() -> Result<()> {
    let results = [
        r#""content":[{"type":"hologram","beams":[1.0,2.50]},{"type":"text","text":"\u00e4","annotations":{"audience":["robot"],"priority":0.10}}]"#,
        r#""structuredContent":{ "b":1e400, "a":12345678901234567890123 },"content":[]"#,
        r#""isError":true,"content":[{"type":"text","text":"no"}],"x-vendor":{"z":1,"a":[ ]}"#,
        r#""_meta":{"example.org/trace":"t","progressToken":null},"content":[{"type":"resource","resource":{"uri":"x://y","blob":"AA=="}}]"#,
    ];
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let (_fixture, vmcp) = pair(backend, sse).await?;
            let mut client = vmcp.client(caller).await?;
            for sent in results {
                let sent = complete(backend, sent);
                let reply = client.call("b_raw", &format!(r#"{{"result":{sent}}}"#)).await?;
                if caller == backend {
                    unchanged(&reply, &sent, sse, &format!("{caller:?}, SSE {sse}"))?;
                }
                let got = members(reply.raw_result()?)?;
                for (name, value) in members(&sent)? {
                    if name == "resultType" && caller == Era::Legacy {
                        continue;
                    }
                    if name == "_meta" {
                        assert!(got[&name].get().contains(r#""example.org/trace":"t""#), "{}", got[&name]);
                        continue;
                    }
                    let arrived = got.get(&name).with_context(|| format!("{caller:?} {backend:?}: {name} is lost"))?;
                    assert_eq!(arrived.get(), value.get(), "{caller:?} {backend:?}: {name}");
                }
                for name in got.keys() {
                    let known = sent.contains(&format!("{name:?}")) || ["resultType", "_meta"].contains(&name.as_str());
                    assert!(known, "{caller:?} {backend:?}: {name} was added");
                }
                assert_eq!(got.contains_key("resultType"), caller == Era::Modern);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn structured_content_that_is_no_object_stays_in_the_modern_era() -> Result<()> {
    let (_fixture, vmcp) = pair(Era::Modern, false).await?;
    let arguments = r#"{"result":{"resultType":"complete","structuredContent":[1,2],"content":[{"type":"text","text":"[1,2]"}]}}"#;
    let modern = vmcp.client(Era::Modern).await?.call("b_raw", arguments).await?.result()?;
    assert_eq!(modern["structuredContent"], json!([1, 2]));
    let legacy = vmcp.client(Era::Legacy).await?.call("b_raw", arguments).await?.result()?;
    assert_eq!(legacy.get("structuredContent"), None, "2025-11-25 knows only objects: {legacy}");
    assert_eq!(legacy["content"][0]["text"], "[1,2]");
    Ok(())
}

#[tokio::test]
async fn a_backends_error_passes_with_code_message_and_data() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (_fixture, vmcp) = pair(backend, false).await?;
        let mut client = vmcp.client(caller).await?;
        for (code, message, data) in
            [(-32050, "out of \"stock\" ä", r#"{"z":1.50,"a":[null,1e400]}"#), (42, "", r#""text""#), (-32602, "bad arguments", "[ ]")]
        {
            let arguments = format!(r#"{{"code":{code},"message":{},"data":{data}}}"#, json!(message));
            let error = client.call("b_fail", &arguments).await?.error()?;
            assert_eq!((error.code, error.message.as_str(), error.data.as_deref()), (code, message, Some(data)), "{caller:?} {backend:?}");
        }
        let without = client.call("b_fail", r#"{"code":1,"message":"m"}"#).await?.error()?;
        assert_eq!(without.data, None);
        let refused = client.call("b_refuse", "{}").await?.result()?;
        assert_eq!((&refused["isError"], &refused["content"][0]["text"]), (&json!(true), &json!("refused by the tool")));
    }
    Ok(())
}

#[tokio::test]
async fn ids_of_every_form_come_back_as_they_were() -> Result<()> {
    let (_fixture, vmcp) = pair(Era::Legacy, false).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        for id in ["0", "-7", "9007199254740993", r#""""#, r#""text \u00e4 with \"quotes\"""#, r#""5""#] {
            let request = client.caller.request(&Rpc::tool("b_echo", "{}"), id);
            let reply = Reply::read(client.conn.exchange(&request).await?)?;
            assert_eq!(reply.id()?, id, "{era:?}");
            reply.result()?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_result_of_five_megabytes_arrives_whole() -> Result<()> {
    const BYTES: usize = 5_000_000;
    for (caller, backend) in Era::PAIRINGS {
        for sse in [false, true] {
            let (_fixture, vmcp) = pair(backend, sse).await?;
            let result = vmcp.client(caller).await?.call("b_big", &format!(r#"{{"bytes":{BYTES}}}"#)).await?.result()?;
            let text = result["content"][0]["text"].as_str().unwrap_or_default();
            assert!(text.len() == BYTES && text.bytes().all(|byte| byte == b'x'), "{caller:?} {backend:?} SSE {sse}: {} bytes", text.len());
        }
    }
    Ok(())
}

#[tokio::test]
async fn arguments_of_five_megabytes_arrive_whole() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = pair(backend, false).await?;
        let arguments = format!(r#"{{"text":"{}"}}"#, "y".repeat(5_000_000));
        let reply = vmcp.client(caller).await?.call("b_echo", &arguments).await?;
        assert!(reply.raw_result()?.contains(&arguments), "{caller:?} {backend:?}");
        assert!(fixture.calls().iter().any(|call| call.body.len() > 5_000_000));
    }
    Ok(())
}

/// An item as its backend wrote it, with the name that the gateway gives it.
fn renamed(item: &str) -> String {
    item.replacen(r#""name":""#, r#""name":"b_"#, 1).replacen(r#""name" : ""#, r#""name" : "b_"#, 1)
}

#[tokio::test]
async fn twelve_hundred_tools_over_pages_are_listed_once_each_and_byte_for_byte() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (fixture, vmcp) = Vmcp::with_backend(Spec::new("b", backend).paged(1200, 37)).await?;
        let mut client = vmcp.client(caller).await?;
        let (mut raw, mut names, mut cursor) = (String::new(), Vec::new(), None::<String>);
        loop {
            let page = client.send(&Rpc::list("tools/list", cursor.as_deref())).await?;
            raw.push_str(page.raw_result()?);
            let page: Map<String, Value> = serde_json::from_str(page.raw_result()?)?;
            names.extend(page["tools"].as_array().into_iter().flatten().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())));
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(names.len(), 1210, "{caller:?} {backend:?}");
        let generated: Vec<_> = (0..1200).map(|n| format!("b_tool_{n:04}")).collect();
        assert_eq!(names[10..], generated, "the backend's order is kept");
        fixture.change(|items| {
            for item in &items.tools {
                let without = item.replace(r#","execution":{"taskSupport":"forbidden"}"#, "");
                let found = raw.contains(&renamed(item)) || (caller == Era::Modern && raw.contains(&renamed(&without)));
                assert!(found, "{caller:?} {backend:?}: changed: {item}\n{}", &raw[..2000]);
            }
        });
        assert_eq!(client.tools().await?, names, "the order is the same every time");
        client.call("b_tool_1199", "{}").await?.result()?;
    }
    Ok(())
}
