use super::*;
use crate::config::syntax::Syntax;
use serde_json::json;

fn read(syntax: Syntax, text: &str) -> (Document, Vec<String>) {
    let Converted { document, problems } = convert(syntax.parse(text).unwrap());
    (document, problems.iter().map(|problem| format!("{} {problem}", problem.severity)).collect())
}

#[test]
fn a_file_of_vmcps_own_stays_as_it_is() {
    let (document, said) = read(Syntax::Yaml, "backends: []\nmcpServers: {}\n");
    assert_eq!(document.value, json!({"backends": [], "mcpServers": {}}));
    assert!(said.is_empty() && document.renames.is_empty());
}

#[test]
fn an_mcp_servers_map_is_read_as_clients_write_it() {
    let (document, said) = read(
        Syntax::Json,
        r#"{
          // as Claude, Cursor and others write it
          "numStartups": 7, "theme": "dark",
          "mcpServers": {
            "GitHub": {"type": "http", "url": "https://a.example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}, "oauth": {}},
            "My Server (dev)": {"transport": "streamable-http", "serverUrl": "https://b.example.com/mcp", "autoApprove": ["x"], "timeout": 60},
            "github": {"type": "streamableHttp", "httpUrl": "https://c.example.com/mcp"},
            "日本": {"url": "https://d.example.com/mcp"},
            "Überwachung": {"url": "https://u.example.com/mcp"},
            "files": {"command": "npx", "args": ["-y", "it", "${HOME}"], "env": {"A": "${A}", "B": 1, "C": null}, "cwd": "data"},
            "here": {"type": "stdio", "command": "npx", "args": ["-y", "${workspaceFolder}"], "env": {}},
            "nothing": {"type": "stdio"},
            "old": {"type": "sse", "url": "https://e.example.com/sse"},
            "off": {"url": "https://f.example.com", "disabled": true},
            "off2": {"url": "https://f.example.com", "enabled": false},
            "ask": {"url": "https://g.example.com", "headers": {"X-Key": "${input:key}"}},
            "ws": {"type": "ws", "url": "wss://h.example.com"},
            "empty": {},
            "text": "https://i.example.com",
          },
        }"#,
    );
    assert_eq!(
        document.value,
        json!({"backends": [
            {"url": "https://a.example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}, "name": "github-2"},
            {"url": "https://b.example.com/mcp", "name": "my-server-dev"},
            {"url": "https://c.example.com/mcp", "name": "github"},
            {"url": "https://d.example.com/mcp", "name": "server"},
            {"url": "https://u.example.com/mcp", "name": "uberwachung"},
            {"command": "npx", "args": ["-y", "it", "${HOME}"], "env": {"A": "${A}", "B": "1"}, "cwd": "data", "name": "files"},
            {"url": "https://e.example.com/sse", "transport": "sse", "name": "old"},
        ]})
    );
    assert_eq!(
        said,
        [
            "note `numStartups`, `theme` not read from a file with `mcpServers`; vmcp's own settings need a file with `backends`",
            "note mcpServers.GitHub: `oauth` not read",
            "note mcpServers.GitHub: called `github-2` here",
            r#"note mcpServers["My Server (dev)"]: `autoApprove`, `timeout` not read"#,
            r#"note mcpServers["My Server (dev)"]: called `my-server-dev` here"#,
            r#"note mcpServers["日本"]: called `server` here"#,
            r#"note mcpServers["Überwachung"]: called `uberwachung` here"#,
            "warning mcpServers.here.args[1]: skipped: only the client knows `${workspaceFolder}`; write the value, or `${ENV}`",
            "warning mcpServers.nothing: skipped: it has no `command`; add one, or remove the entry",
            "note mcpServers.off: skipped: it is disabled",
            "note mcpServers.off2: skipped: it is disabled",
            "warning mcpServers.ask.headers.X-Key: skipped: only the client can ask for `${input:…}`; use `${ENV}` in the header's value",
            "warning mcpServers.ws: skipped: its type is none that vmcp knows; use `http`, `sse` or `stdio`",
            "warning mcpServers.empty: skipped: it has neither a `url` nor a `command`; add one, or remove the entry",
            "error mcpServers.text: expected a map",
        ]
    );
    assert_eq!(document.in_file("backends[0].headers.Authorization"), "mcpServers.GitHub.headers.Authorization");
    assert_eq!(document.in_file("backends[1].url"), r#"mcpServers["My Server (dev)"].serverUrl"#);
    assert_eq!(document.in_file("backends"), "mcpServers");
}

#[test]
fn headers_that_vmcp_writes_itself_are_left_out_of_a_clients_entry() {
    let (document, said) = read(
        Syntax::Json,
        r#"{"mcpServers": {"a": {"url": "http://10.0.0.7/mcp", "allowPlaintext": true, "headers": {
            "Content-Type": "application/json", "accept": "text/event-stream", "X-Key": "k", "Host": "h", "MCP-Protocol-Version": "1",
            "X-Forwarded-For": "1.2.3.4"
        }}}}"#,
    );
    // What says where a request came from is no mistake of a client's habit: that one stays, to be refused.
    let headers = json!({"X-Key": "k", "X-Forwarded-For": "1.2.3.4"});
    assert_eq!(
        document.value,
        json!({"backends": [{"url": "http://10.0.0.7/mcp", "headers": headers, "allowPlaintext": true, "name": "a"}]})
    );
    let note = |name: &str| format!("note mcpServers.a.headers.{name}: not read: vmcp writes this header itself");
    assert_eq!(said, ["Content-Type", "accept", "Host", "MCP-Protocol-Version"].map(note));
}

#[test]
fn an_entry_that_only_its_editor_can_fill_in_is_skipped() {
    for variable in ["workspaceFolder", "workspaceFolder:api", "userHome", "pathSeparator", "/", "config:a.b", "command:x", "input:x"] {
        let (document, said) = read(
            Syntax::Json,
            &format!(
                r#"{{"servers": {{"a": {{"url": "https://a.example.com${{{variable}}}"}},
                "b": {{"url": "https://b.example.com", "headers": {{"X-Where": "${{{variable}}}"}}}},
                "c": {{"url": "https://c.example.com/${{cwd:-mcp}}", "headers": {{"X-Where": "$${{{variable}}} ${{HOME}}"}}}}}}}}"#
            ),
        );
        assert_eq!(document.value["backends"].as_array().unwrap().len(), 1, "{variable}");
        assert_eq!(document.value["backends"][0]["name"], "c");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("warning servers.a.url: skipped: only the client "), "{}", said[0]);
        assert!(said[1].starts_with("warning servers.b.headers.X-Where: skipped: only the client "), "{}", said[1]);
    }
}

#[test]
fn servers_that_are_no_map_are_told_alone() {
    for key in ["mcpServers", "servers"] {
        let (document, said) = read(Syntax::Yaml, &format!("{key}: [{{url: 'https://a.example.com'}}]\n"));
        assert_eq!(
            said,
            [format!("error {key}: expected a map of servers by name; write `name: {{url: …}}` or `name: {{command: …}}` for each")]
        );
        assert_eq!((document.value, document.silenced), (json!({"backends": []}), vec!["backends".to_owned()]));
    }
}

#[test]
fn vs_codes_servers_map_is_read_in_both_its_places() {
    let expected = json!({"backends": [{"url": "https://a.example.com/mcp", "name": "a"}]});
    let (document, said) = read(
        Syntax::Json,
        r#"{"inputs": [{"type": "promptString", "id": "key"}], "servers": {"a": {"type": "http", "url": "https://a.example.com/mcp"}}}"#,
    );
    assert_eq!(document.value, expected);
    assert_eq!(said, ["note `inputs` not read from a file with `servers`; vmcp's own settings need a file with `backends`"]);
    let (document, _) = read(Syntax::Json, r#"{"editor.fontSize": 12, "mcp": {"servers": {"a": {"url": "https://a.example.com/mcp"}}}}"#);
    assert_eq!(document.value, expected);
    assert_eq!(document.in_file("backends[0].url"), "mcp.servers.a.url");
}

const MANIFEST: &str = "
apiVersion: v1
kind: Secret
---
apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: {name: team}
spec:
  groupRef: {name: engineering}
  replicas: 2
  incomingAuth: {type: anonymous}
  outgoingAuth: {source: inline, default: {type: unauthenticated}}
  passthroughHeaders: [x-wins]
  config:
    passthroughHeaders: [x-loses]
    aggregation: {conflictResolution: prefix}
    backends:
      - {name: github, url: https://mcp.example.com/mcp}
";

#[test]
fn a_manifest_holds_the_configuration_and_what_wins_over_it() {
    let (document, said) = read(Syntax::Yaml, MANIFEST);
    assert_eq!(
        document.value,
        json!({
            "passthroughHeaders": ["x-wins"],
            "aggregation": {"conflictResolution": "prefix"},
            "backends": [{"name": "github", "url": "https://mcp.example.com/mcp"}],
            "name": "team",
            "incomingAuth": {"type": "anonymous"},
            "outgoingAuth": {"source": "inline", "default": {"type": "unauthenticated"}},
            "groupRef": "engineering",
        })
    );
    assert_eq!(said, ["note 1 further documents of the file are not for vmcp", "note spec: `replicas` not read: a cluster's work"]);
    assert_eq!(document.in_file("passthroughHeaders[0]"), "spec.passthroughHeaders[0]");
    assert_eq!(document.in_file("backends[0].url"), "spec.config.backends[0].url");
    assert_eq!(document.in_file("name"), "metadata.name");
    let (older, _) = read(Syntax::Yaml, &MANIFEST.replace("v1beta1", "v1alpha1").replace("{name: engineering}", "engineering"));
    assert_eq!(older.value, document.value);
}

#[test]
fn what_only_a_cluster_can_resolve_is_an_error_that_names_the_field() {
    let (document, said) = read(
        Syntax::Yaml,
        "
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPServer
metadata: {name: team}
spec:
  groupRef: {name: engineering}
  telemetryConfigRef: {name: t}
  somethingRef: {name: s}
  serviceTyp: NodePort
  incomingAuth: {type: oidc, oidcConfigRef: {name: o}, authzConfig: {type: inline}}
  outgoingAuth:
    source: discovered
    default: {type: discovered}
    backends:
      github: {type: externalAuthConfigRef, externalAuthConfigRef: {name: x}}
      jira: {type: unauthenticated}
  config:
    otherRef: {name: x}
    compositeToolRefs: [{name: x}]
    aggregation: {tools: [{workload: github, toolConfigRef: {name: x}}]}
",
    );
    let not = "not available in this version of vmcp";
    let cluster = "only a cluster can resolve this";
    assert_eq!(
        said,
        [
            format!("error spec.incomingAuth.oidcConfigRef: {cluster}; write an `oidcConfig` of `type: inline` here"),
            format!("error spec.outgoingAuth.source: {cluster}; write the strategies here"),
            format!("error spec.outgoingAuth.default.type: {cluster}; write the strategies here"),
            format!("error spec.outgoingAuth.backends.github.externalAuthConfigRef: {cluster}; write the strategies here"),
            "error spec.groupRef: only a cluster can resolve a group of servers; list them under spec.config.backends".to_owned(),
            format!("error spec.config.otherRef: {cluster}; write what it names here, or remove it"),
            format!("error spec.config.compositeToolRefs: {not}; remove it"),
            format!("error spec.config.aggregation.tools[0].toolConfigRef: {not}; write the tool's `filter` and `overrides` here"),
            format!("error spec.telemetryConfigRef: {not}; remove it"),
            format!("error spec.somethingRef: {cluster}; write what it names under spec.config, or remove it"),
            "error spec.serviceTyp: unknown key; did you mean `serviceType`?".to_owned(),
        ]
    );
    assert_eq!(document.value["incomingAuth"], json!({"type": "oidc", "authz": {"type": "cedar"}}));
    assert_eq!(document.in_file("incomingAuth.authz"), "spec.incomingAuth.authzConfig");
    assert_eq!(document.value["outgoingAuth"], json!({"backends": {"jira": {"type": "unauthenticated"}}}));
    assert_eq!(document.silenced, ["incomingAuth", "backends"]);
}

/// A manifest whose `spec.incomingAuth` is this.
fn with_incoming(incoming: &str) -> String {
    MANIFEST.replace("incomingAuth: {type: anonymous}", &format!("incomingAuth: {incoming}"))
}

#[test]
fn a_manifest_says_inline_who_may_call_and_what_they_may_do() {
    let (document, said) = read(
        Syntax::Yaml,
        &with_incoming(
            r#"
    type: oidc
    oidcConfig:
      type: inline
      resourceUrl: https://mcp.example.com/mcp
      inline:
        issuer: https://id.example.com
        audience: vmcp
        clientId: vmcp-client
        clientSecretRef: {name: vmcp-secret, key: secret}
        jwksUrl: https://id.example.com/keys
        introspectionUrl: https://id.example.com/introspect
        scopes: [openid, mcp]
        thvCABundlePath: /etc/ca.pem
        jwksAllowPrivateIP: true
        protectedResourceAllowPrivateIP: true
        insecureAllowHTTP: true
        extra: 1
    authzConfig:
      type: inline
      groupClaimName: teams
      roleClaimName: role
      groupEntityType: Team
      inline: {policies: ["permit(principal, action, resource);"], entitiesJson: "[]"}"#,
        ),
    );
    assert_eq!(
        document.value["incomingAuth"],
        json!({
            "type": "oidc",
            "oidc": {
                "resource": "https://mcp.example.com/mcp",
                "issuer": "https://id.example.com",
                "audience": "vmcp",
                "clientId": "vmcp-client",
                "clientSecretEnv": "VMCP_OIDC_CLIENT_SECRET",
                "jwksUrl": "https://id.example.com/keys",
                "introspectionUrl": "https://id.example.com/introspect",
                "scopes": ["openid", "mcp"],
                "caBundlePath": "/etc/ca.pem",
                "jwksAllowPrivateIp": true,
                "protectedResourceAllowPrivateIp": true,
                "insecureAllowHttp": true,
                "extra": 1,
            },
            "authz": {
                "type": "cedar",
                "policies": ["permit(principal, action, resource);"],
                "entitiesJson": "[]",
                "groupClaimName": "teams",
                "roleClaimName": "role",
                "groupEntityType": "Team",
            },
        })
    );
    let base = "spec.incomingAuth.oidcConfig";
    let secret = "the secret is read from the variable `VMCP_OIDC_CLIENT_SECRET`";
    assert!(said.contains(&format!("note {base}.inline.clientSecretRef: {secret}")), "{said:?}");
    for (own, file) in [
        ("incomingAuth.oidc", format!("{base}.inline")),
        ("incomingAuth.oidc.extra", format!("{base}.inline.extra")),
        ("incomingAuth.oidc.resource", format!("{base}.resourceUrl")),
        ("incomingAuth.oidc.clientSecretEnv", format!("{base}.inline.clientSecretRef")),
        ("incomingAuth.oidc.caBundlePath", format!("{base}.inline.thvCABundlePath")),
        ("incomingAuth.authz.policies[0]", "spec.incomingAuth.authzConfig.inline.policies[0]".to_owned()),
        ("incomingAuth.authz.roleClaimName", "spec.incomingAuth.authzConfig.roleClaimName".to_owned()),
    ] {
        assert_eq!(document.in_file(own), file);
    }
}

#[test]
fn what_of_logging_in_only_a_cluster_can_resolve_is_an_error_that_says_what_to_write() {
    let cluster = "only a cluster can resolve this";
    let inline = "write `type: inline` and the settings under `inline`";
    let base = "spec.incomingAuth";
    for (incoming, expected) in [
        ("{type: oidc, oidcConfig: {type: configMap, configMap: {name: x}}}", format!("{base}.oidcConfig.type: {cluster}; {inline}")),
        ("{type: oidc, oidcConfig: {type: kubernetes}}", format!("{base}.oidcConfig.type: {cluster}; {inline}")),
        ("{type: oidc, oidcConfig: x}", format!("{base}.oidcConfig: expected a map; {inline}")),
        (
            "{type: oidc, oidcConfig: {type: inline, inline: {issuer: 'https://a.example'}, resourceURL: 'https://b.example'}}",
            format!("{base}.oidcConfig.resourceURL: unknown key; did you mean `resourceUrl`?"),
        ),
        (
            "{type: oidc, oidcConfig: {type: inline, inline: {caBundleRef: {configMapRef: {name: x}}}}}",
            format!("{base}.oidcConfig.inline.caBundleRef: {cluster}; write `caBundlePath` with the file that holds the certificates"),
        ),
        (
            "{type: oidc, oidcConfig: {inline: {jwksAuthTokenPath: /token}}}",
            format!(
                "{base}.oidcConfig.inline.jwksAuthTokenPath: not available in this version of vmcp; \
                 remove it; keys are asked for without a credential"
            ),
        ),
        (
            "{type: oidc, authzConfigRef: {name: x}}",
            format!("{base}.authzConfigRef: {cluster}; write an `authzConfig` of `type: inline` here"),
        ),
        ("{type: oidc, authzConfig: {type: configMap}}", format!("{base}.authzConfig.type: {cluster}; {inline}")),
    ] {
        let (_, said) = read(Syntax::Yaml, &with_incoming(incoming));
        let errors: Vec<_> = said.iter().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors, [&format!("error {expected}")], "{incoming}");
    }
    // What is no map is refused by the shape, and lets nobody in.
    let (document, _) = read(Syntax::Yaml, &with_incoming("oidc"));
    assert_eq!(document.value["incomingAuth"], "oidc");
}

#[test]
fn what_a_manifest_says_of_policies_cannot_be_taken_back_beside_or_within_it() {
    let base = "spec.incomingAuth";
    let policies = "authzConfig: {type: inline, inline: {policies: ['permit(principal, action, resource);']}}";
    for (incoming, expected) in [
        (
            format!("{{type: oidc, {policies}, authz: {{type: none}}}}"),
            format!("{base}.authz: says the same as `authzConfig`; keep one of them"),
        ),
        (
            format!("{{type: oidc, authz: {{type: none}}, {policies}}}"),
            format!("{base}.authz: says the same as `authzConfig`; keep one of them"),
        ),
        (
            format!("{{type: oidc, {}}}", policies.replace("inline: {", "inline: {type: none, ")),
            format!("{base}.authzConfig.inline.type: is always `cedar` in a manifest; remove it"),
        ),
        (
            "{type: oidc, oidcConfig: {type: inline, inline: {issuer: 'https://a.example'}}, oidc: {issuer: 'https://b.example'}}"
                .to_owned(),
            format!("{base}.oidc: says the same as `oidcConfig`; keep one of them"),
        ),
    ] {
        let (document, said) = read(Syntax::Yaml, &with_incoming(&incoming));
        let errors: Vec<_> = said.iter().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors, [&format!("error {expected}")], "{incoming}");
        let (authz, issuer) = (&document.value["incomingAuth"]["authz"]["type"], &document.value["incomingAuth"]["oidc"]["issuer"]);
        assert!(authz == "cedar" || issuer == "https://a.example", "{incoming}");
    }
}

#[test]
fn a_setting_of_who_may_call_that_a_manifest_has_twice_is_an_error_and_the_first_stays() {
    let (oidc, authz) = ("spec.incomingAuth.oidcConfig", "spec.incomingAuth.authzConfig");
    let forbid = "inline: {policies: ['forbid(principal, action, resource);']}";
    for (incoming, at, first, own, kept) in [
        (
            format!("authzConfig: {{type: inline, {forbid}, policies: ['permit(principal, action, resource);']}}"),
            format!("{authz}.policies"),
            format!("{authz}.inline.policies"),
            "/authz/policies",
            json!(["forbid(principal, action, resource);"]),
        ),
        (
            "oidcConfig: {type: inline, inline: {thvCABundlePath: /a.pem, caBundlePath: /b.pem}}".to_owned(),
            format!("{oidc}.inline.caBundlePath"),
            format!("{oidc}.inline.thvCABundlePath"),
            "/oidc/caBundlePath",
            json!("/a.pem"),
        ),
        (
            "oidcConfig: {type: inline, inline: {insecureAllowHttp: false, insecureAllowHTTP: true}}".to_owned(),
            format!("{oidc}.inline.insecureAllowHTTP"),
            format!("{oidc}.inline.insecureAllowHttp"),
            "/oidc/insecureAllowHttp",
            json!(false),
        ),
        (
            "oidcConfig: {resourceUrl: 'https://a.example', inline: {resource: 'https://b.example'}}".to_owned(),
            format!("{oidc}.inline.resource"),
            format!("{oidc}.resourceUrl"),
            "/oidc/resource",
            json!("https://a.example"),
        ),
    ] {
        let (document, said) = read(Syntax::Yaml, &with_incoming(&format!("{{type: oidc, {incoming}}}")));
        let errors: Vec<_> = said.iter().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors, [&format!("error {at}: says the same as `{first}`; keep one of them")], "{incoming}");
        assert_eq!(document.value["incomingAuth"].pointer(own), Some(&kept), "{incoming}");
    }
    let without =
        "oidcConfig: {resourceUrl: ~, type: inline, inline: {resource: 'https://b.example', thvCABundlePath: /a.pem, caBundlePath: ~}}";
    let (document, said) = read(Syntax::Yaml, &with_incoming(&format!("{{type: oidc, {without}}}")));
    assert!(said.iter().all(|line| !line.starts_with("error")), "a key without a value says nothing: {said:?}");
    let oidc = &document.value["incomingAuth"]["oidc"];
    assert_eq!((&oidc["resource"], &oidc["caBundlePath"]), (&json!("https://b.example"), &json!("/a.pem")));
}

#[test]
fn what_the_configuration_of_a_manifest_says_of_who_may_call_is_said_to_be_not_read_where_the_manifest_says_it_too() {
    let own = "incomingAuth: {type: oidc, authz: {type: cedar, policies: ['forbid(principal, action, resource);']}}";
    let config = format!("config:\n    {own}");
    let (document, said) = read(Syntax::Yaml, &MANIFEST.replace("config:", &config));
    assert_eq!(document.value["incomingAuth"], json!({"type": "anonymous"}));
    let expected = "warning spec.config.incomingAuth: not read, policies included: `spec.incomingAuth` wins over it; keep one of them";
    assert!(said.contains(&expected.to_owned()), "{said:?}");
    let (document, said) = read(Syntax::Yaml, &MANIFEST.replace("config:", &config).replace("incomingAuth: {type: anonymous}", ""));
    assert_eq!(document.value["incomingAuth"]["authz"]["type"], "cedar");
    assert!(said.iter().all(|line| !line.contains("incomingAuth")), "{said:?}");
    let (_, said) = read(Syntax::Yaml, &MANIFEST.replace("config:", "config:\n    incomingAuth: null"));
    assert!(said.iter().all(|line| !line.contains("incomingAuth")), "{said:?}");
}

#[test]
fn a_secret_of_a_cluster_in_a_strategy_is_told_where_it_can_stand() {
    let outgoing = "outgoingAuth: {backends: {github: {type: token_exchange, tokenExchange: {clientSecretRef: {name: x}}}}}";
    let (_, said) = read(Syntax::Yaml, &MANIFEST.replace("outgoingAuth: {source: inline, default: {type: unauthenticated}}", outgoing));
    let at = "spec.outgoingAuth.backends.github.tokenExchange.clientSecretRef";
    let hint = "write `clientSecretEnv` with the variable that holds the secret";
    assert!(said.contains(&format!("error {at}: only a cluster can resolve this; {hint}")), "{said:?}");
}

#[test]
fn other_manifests_are_refused() {
    let (_, said) = read(Syntax::Yaml, "apiVersion: toolhive.stacklok.dev/v2\nkind: MCPServer\n");
    assert_eq!(
        said,
        [
            "error kind: not a kind that vmcp reads; it reads VirtualMCPServer",
            "error apiVersion: not a version that vmcp reads; it reads toolhive.stacklok.dev/v1alpha1 and toolhive.stacklok.dev/v1beta1",
            "error the key `spec` is missing or no map; it holds the gateway's configuration under `config`",
        ]
    );
    let (_, said) = read(Syntax::Yaml, "backends: []\n---\nbackends: []\n");
    assert_eq!(said, ["error more than one document; keep one, without `---` in between"]);
    let (_, said) = read(Syntax::Yaml, &format!("{MANIFEST}---{}", MANIFEST.split("---").nth(1).unwrap()));
    assert_eq!(said[0], "error more than one VirtualMCPServer; give each a file of its own");
}
