use super::*;

fn matches(template: &str, uri: &str) -> bool {
    UriTemplate::parse(template).unwrap().matches(uri, &mut 1_000_000)
}

#[test]
fn every_operator_matches_what_it_can_have_become() {
    // The values are those of RFC 6570, section 3.2: path = /foo/bar, x = 1024, y = 768, hello = Hello World!, empty = "".
    for (template, uri) in [
        ("m://{hello}", "m://Hello%20World%21"),
        ("m://{x,hello,y}", "m://1024,Hello%20World%21,768"),
        ("m://{+path}/here", "m:///foo/bar/here"),
        ("m://{+x,hello,y}", "m://1024,Hello%20World!,768"),
        ("m://a{#path,x}", "m://a#/foo/bar,1024"),
        ("m://X{.x,y}", "m://X.1024.768"),
        ("m:/{/x,path}/here", "m://1024/%2Ffoo%2Fbar/here"),
        ("m://a{;x,y,empty}", "m://a;x=1024;y=768;empty"),
        ("m://a{?x,y,empty}", "m://a?x=1024&y=768&empty="),
        ("m://a?fixed=yes{&x}", "m://a?fixed=yes&x=1024"),
        ("m://{x}{y}", "m://1024768"),
        ("file:///{+path}", "file:///a/b/c.txt"),
        ("file://{/path*}", "file:///a/b/c"),
        ("m://{x:3}", "m://102"),
        ("m://plain", "m://plain"),
    ] {
        assert!(matches(template, uri), "{template} {uri}");
    }
}

#[test]
fn undefined_and_empty_variables_leave_nothing() {
    for (template, uri) in
        [("m://a{?x,y}", "m://a"), ("m://a{#x}b", "m://ab"), ("m://a{/x}", "m://a"), ("m://{x}", "m://"), ("m://a{+x}", "m://a")]
    {
        assert!(matches(template, uri), "{template} {uri}");
    }
}

#[test]
fn an_expression_does_not_reach_over_the_part_it_stands_in() {
    for (template, uri) in [
        ("m://{x}", "m://a/b"),
        ("m://{x}", "m://a?b"),
        ("m://{x}/end", "m://a/b/end"),
        ("m://a{/x}", "m://a/b/c"),
        ("m://a{/x}", "m://ab"),
        ("m://a{?x}", "m://a&x=1"),
        ("m://a{?x}", "m://a?x=1#f"),
        ("m://a{.x}", "m://a.b/c"),
        ("m://{x}.txt", "m://a.md"),
        ("m://a", "m://ab"),
        ("m://a{x}", "n://ab"),
        ("m://a/{x}", "m://A/b"),
    ] {
        assert!(!matches(template, uri), "{template} {uri}");
    }
}

#[test]
fn hand_written_uris_match_without_encoding() {
    assert!(matches("users://{email}/profile", "users://joe@example.com/profile"));
    assert!(matches("weather://{city}", "weather://São Paulo"));
}

#[test]
fn what_is_no_template_says_why() {
    for (text, error) in [
        ("a{", TemplateError::Unbalanced),
        ("a}", TemplateError::Unbalanced),
        ("a{b}}", TemplateError::Unbalanced),
        ("a{b{c}}", TemplateError::Unbalanced),
        ("a{}", TemplateError::Empty),
        ("a{?}", TemplateError::Empty),
        ("a{b,}", TemplateError::Empty),
        ("a{*}", TemplateError::Empty),
        ("a{:3}", TemplateError::Empty),
        ("a{|b}", TemplateError::Operator('|')),
    ] {
        assert_eq!(UriTemplate::parse(text), Err(error), "{text}");
    }
    assert_eq!(UriTemplate::parse(&"{a}".repeat(33)), Err(TemplateError::TooLong));
    assert_eq!(UriTemplate::parse(&"a".repeat(5000)), Err(TemplateError::TooLong));
}

#[test]
fn a_template_made_to_backtrack_costs_no_more_than_its_length_times_the_uris() {
    let template = UriTemplate::parse(&format!("m:{}b", "{a}a".repeat(31))).unwrap();
    for (end, expected) in [("b", true), ("/ab", false)] {
        let uri = format!("m:{}{end}", "a".repeat(8000));
        let mut work = 3 * 32 * 8010;
        assert_eq!(template.matches(&uri, &mut work), expected, "{end}");
    }
    let mut nothing = 10;
    assert!(!UriTemplate::parse("m:{a}").unwrap().matches("m:aaaaaaaaaaaa", &mut nothing), "beyond the budget nothing matches");
}
