//! The table of diagnostics in the documentation is that of the code.

use sync_config::{Code, Severity};

#[test]
fn the_documentation_lists_all_codes() {
    let page = include_str!("../../../../docs/service/configuration.md");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| C") && line.ends_with(" |")).collect();
    let expected: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            let severity = if code.severity() == Severity::Error { "error" } else { "warning" };
            format!("| {} | {severity} | {} |", code.id(), code.hint())
        })
        .collect();
    assert_eq!(listed, expected);
}
