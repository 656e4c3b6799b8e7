//! Every finding names the exact place in the file, whatever way the YAML is written.

use super::support::compiled;
use sync_config::{Code, Position, position};

/// The texts that findings of a code name.
fn places(yaml: &str, code: Code) -> Vec<&str> {
    compiled(yaml).diagnostics.iter().filter(|d| d.code == code).map(|d| d.span.text(yaml)).collect()
}

fn config(query: &str) -> String {
    format!("config:\n  edition: 3\nstreams:\n  \"größe\":\n    query: {query}\n    priority: 1\n")
}

#[test]
fn scalars_of_all_styles() {
    let table = "Table 'zz' has not been added in a FROM clause here";
    for query in [
        "SELECT id, zz.x AS y FROM a",
        "SELECT id,\n      zz.x AS y\n      FROM a",
        "'SELECT id, ''it''''s'' AS q, zz.x AS y FROM a'",
        "\"SELECT id, \\\"b\\\" AS q, '\\u00e4\\t' AS r, \\\n      zz.x AS y FROM a\"",
        "|\n      SELECT id,\n          zz.x AS y\n      FROM a",
        "|-\n      -- first\n      SELECT id,\n\n        zz.x AS y FROM a",
        ">\n      SELECT id,\n      'ä' AS b,\n\n      zz.x AS y\n      FROM a",
        ">-\n      SELECT id,\n        'indented' AS b,\n      zz.x AS y FROM a",
        "|2\n        SELECT id, zz.x AS y FROM a",
        "!!str SELECT id, zz.x AS y FROM a",
    ] {
        let yaml = config(query);
        let result = compiled(&yaml);
        let finding =
            result.diagnostics.iter().find(|d| d.message == table).unwrap_or_else(|| panic!("{yaml}{result:?}"));
        assert_eq!(finding.span.text(&yaml), "zz", "{yaml}");
        assert_eq!(finding.span.start, yaml.find("zz.x").unwrap(), "{yaml}");
    }
}

#[test]
fn expressions_have_their_whole_range() {
    let yaml = config(
        "SELECT id, (x + 1), upper( name ) FROM a WHERE (y IS NULL) = auth.user_id() AND b > auth.parameter('p')",
    );
    assert_eq!(places(&yaml, Code::UnnamedColumn), ["(x + 1)", "upper( name )"]);
    assert_eq!(places(&yaml, Code::MixedSources), ["b > auth.parameter('p')"]);
    let yaml = config("SELECT * FROM a WHERE CASE WHEN x THEN auth.user_id() END");
    assert_eq!(places(&yaml, Code::MixedSources), ["CASE WHEN x THEN auth.user_id() END"]);
}

#[test]
fn flow_style_and_keys() {
    let yaml = "{config: {edition: 3}, streams: {s: {query: 'SELECT nope(1) AS id FROM a', prio: 1}}}";
    assert_eq!(places(yaml, Code::UnknownFunction), ["nope"]);
    assert_eq!(places(yaml, Code::UnknownKey), ["prio"]);
}

#[test]
fn fixes_replace_what_they_name() {
    let yaml = config("SELECT user FROM a");
    let result = compiled(&yaml);
    let finding = &result.diagnostics[0];
    assert_eq!(finding.code.id(), "C021");
    assert!(finding.message.contains("write \"user\""), "{}", finding.message);
    let fix = finding.fix.as_ref().unwrap();
    let mut fixed = yaml.clone();
    fixed.replace_range(fix.span.start..fix.span.end, &fix.replacement);
    assert!(compiled(&fixed).plan.is_some(), "{fixed}");
}

#[test]
fn the_end_of_a_query() {
    let yaml = config("SELECT id FROM a WHERE");
    let result = compiled(&yaml);
    assert_eq!(result.diagnostics[0].span.start, yaml.find("WHERE").unwrap() + 5);
    let yaml = config("|\n      SELECT id FROM a WHERE 'x\n");
    assert_eq!(compiled(&yaml).diagnostics[0].code, Code::SqlSyntax);
}

#[test]
fn lines_and_columns() {
    assert_eq!(position("ab\nçd", 0), Position { line: 1, column: 1 });
    assert_eq!(position("ab\nçd", 5), Position { line: 2, column: 2 });
    assert_eq!(position("ab", 99), Position { line: 1, column: 3 });
    assert_eq!(position("ç", 1), Position { line: 1, column: 1 });
}

#[test]
fn windows_line_ends() {
    let yaml = config("|\n      SELECT id,\n      zz.x AS y FROM a").replace('\n', "\r\n");
    assert_eq!(places(&yaml, Code::UnknownTable), ["zz"]);
}
