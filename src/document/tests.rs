use super::*;

fn read_text(text: &str) -> Node {
    parse(Source::new("t.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The tree in one line, each key and scalar followed by the text at its place where that
/// differs from what it says.
fn shown(node: &Node) -> String {
    let written = |text: &str, place: &Place| match place.text() == text {
        true => text.to_owned(),
        false => format!("{text:?}@{:?}", place.text()),
    };
    match &node.value {
        Yaml::Null => format!("null@{:?}", node.place.text()),
        Yaml::Scalar(scalar) => {
            let mark = if scalar.plain { "" } else { "!" };
            format!("{mark}{}", written(&scalar.text, &node.place))
        }
        Yaml::Sequence(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Yaml::Mapping(entries) => {
            let entry = |(key, node): &(Key, Node)| {
                format!("{}: {}", written(&key.text, &key.place), shown(node))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn tree_of(text: &str) -> String {
    shown(&read_text(text))
}

#[test]
fn plain_scalars_keep_their_source_text() {
    let text = "a: 15\nb: 8.0\nc: 1.30   # why\nd: no\ne: 0123\nf: 2024-01-01\ng: .inf\nh: on \n";
    assert_eq!(
        tree_of(text),
        "{a: 15, b: 8.0, c: 1.30, d: no, e: 0123, f: 2024-01-01, g: .inf, h: on}"
    );
}

#[test]
fn quoted_and_block_scalars_are_decoded_and_not_plain() {
    assert_eq!(tree_of(r#"a: "x\ty""#), r#"{a: !"x\ty"@"\"x\\ty\""}"#);
    assert_eq!(tree_of("a: 'it''s'"), r#"{a: !"it's"@"'it''s'"}"#);
    assert_eq!(tree_of("a: |\n  x\n  y\nb: 1"), r#"{a: !"x\ny\n"@"x\n  y\n", b: 1}"#);
    assert_eq!(tree_of("a: !!str 15"), "{a: !15}");
    assert_eq!(tree_of("a: !!str null"), "{a: !null}");
}

#[test]
fn nothing_null_and_tilde_are_null_and_tell_which() {
    assert_eq!(
        tree_of("a:\nb: null\nc: ~\nd: ''\ne: \"null\""),
        r#"{a: null@"", b: null@"null", c: null@"~", d: !""@"''", e: !"null"@"\"null\""}"#
    );
}

#[test]
fn a_missing_value_is_an_empty_place_on_its_line() {
    for (text, at) in
        [("a:\n\n# c\nb: 1", 1), ("x:\n  - \n  - b\n", 7), ("{a: , b}", 2), ("b: &x\nc: 1", 5)]
    {
        let node = read_text(text);
        let entry = &node.mapping().unwrap()[0].1;
        let missing = entry.sequence().map_or(entry, |items| &items[0]);
        assert!(missing.is_null());
        assert_eq!(missing.place.range, at..at, "{text:?}");
    }
}

#[test]
fn byte_order_mark_and_crlf_leave_places_exact() {
    assert_eq!(tree_of("\u{feff}a: é\r\nb:\r\n  - ç\r\n"), "{a: é, b: [ç]}");
}

#[test]
fn json_with_tabs_is_yaml() {
    let text =
        "{\n\t\"Version\":\"2012-10-17\",\n\t\"Statement\":[{\"Resource\":[\"*\"],\"n\":1}]\n}\n";
    let node = read_text(text);
    assert_eq!(node.get("Version").and_then(Node::text), Some("2012-10-17"));
    let statement = &node.get("Statement").unwrap().sequence().unwrap()[0];
    assert_eq!(statement.get("n").unwrap().place.text(), "1");
}

#[test]
fn collections_end_with_their_last_child() {
    let node = read_text("a:\n  b: 1\n  c: [x, {y: z}]\n\n\n# end\nd: 2\n");
    assert_eq!(node.get("a").unwrap().place.text(), "b: 1\n  c: [x, {y: z}]");
    let list = node.get("a").unwrap().get("c").unwrap();
    assert_eq!(list.place.text(), "[x, {y: z}]");
}

#[test]
fn aliases_point_at_the_anchors_value() {
    assert_eq!(tree_of("a: &x 15\nb: *x\nc: {*x : d}"), r#"{a: 15, b: 15, c: {"15"@"*x": d}}"#);
}

#[test]
fn merge_keys_fill_in_and_never_override() {
    let text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall:\n  <<: [*one, *two]\n  c: 3\n";
    let node = read_text(text);
    assert_eq!(shown(node.get("all").unwrap()), "{a: 1, b: 1, c: 3}");
    assert_eq!(tree_of("\"<<\": 1"), r#"{"<<"@"\"<<\"": 1}"#);
}

#[test]
fn many_small_values_are_refused_at_the_limit() {
    let text = format!("[{}]", "1,".repeat(NODE_LIMIT + 10));
    let problems = parse(Source::new("t.yaml", text)).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("100000"), "{}", problems[0].message);
}

#[test]
fn aliases_that_multiply_texts_or_empty_merges_are_refused() {
    let texts = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), "*a,".repeat(1_000));
    let mut merges = "a0: &a0 {}\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{},", level - 1).repeat(10);
        merges.push_str(&format!("a{level}: &a{level} {{<<: [{below}]}}\n"));
    }
    for text in [texts, merges] {
        let problems = parse(Source::new("t.yaml", text)).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("aliases"), "{}", problems[0].message);
    }
}

#[test]
fn a_chain_of_aliases_cannot_nest_deeper_than_written_text() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..1_000 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let problems = parse(Source::new("t.yaml", text)).unwrap_err();
    assert!(problems[0].message.contains("64"), "{}", problems[0].message);
}

#[test]
fn a_problem_that_can_be_stepped_over_leaves_a_tree() {
    let mut problems = Vec::new();
    let source = Source::new("t.yaml", "a: 1\na: 2\nb: *nowhere\nc: !x 3\n");
    let node = tree(&source, &mut problems).unwrap();
    assert_eq!(problems.len(), 3);
    assert_eq!(shown(&node), r#"{a: 1, b: null@"*nowhere", c: 3}"#);
}

#[test]
fn a_document_has_everything_with_its_place() {
    let text = "\
stack: bootcamp
region: us-east-1
tags: { Team: Stack }
x-shared: &shared { versioning: true }
variables:
  project: { default: coins }
  my_ip: { description: who, pattern: '^[0-9]+$' }
resources:
  raw:
    <<: *shared
    kind: s3_bucket
    depends_on: other
    ignore: [tags]
    on_destroy: retain
    protect: yes
outputs:
  host: ${raw.host}
";
    let document = document(Source::new("stack.yaml", text)).unwrap();
    assert_eq!(document.stack.place.line_column(), (1, 8));
    assert_eq!(document.region.unwrap().text(), Some("us-east-1"));
    assert!(!document.variables[0].1.required() && document.variables[1].1.required());
    assert_eq!(document.variables[1].1.pattern.as_ref().unwrap().text, "^[0-9]+$");
    let raw = &document.resources[0].1;
    assert_eq!(raw.kind.as_ref().unwrap().text, "s3_bucket");
    assert_eq!(raw.depends_on[0].text, "other");
    assert_eq!(raw.ignore[0].text, "tags");
    assert_eq!(raw.body.len(), 1);
    assert_eq!(raw.body[0].0.text, "versioning");
    assert_eq!(document.outputs[0].1.text(), Some("${raw.host}"));
}

#[test]
fn an_outline_with_problems_still_has_its_sound_parts() {
    let mut problems = Vec::new();
    let text = "stack: a\nregoin: x\nresources:\n  b: { kind: k, name: [x] }\n";
    let document = outline(&Source::new("stack.yaml", text), &mut problems).unwrap();
    assert_eq!(problems.len(), 2);
    assert_eq!(document.resources.len(), 1);
}
