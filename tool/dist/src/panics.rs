//! `cargo xtask panics`: the places of the release library from which a panic could start, and why each cannot.
//!
//! It disassembles the library before its names are removed, with `objdump`, and lists the calls of functions that do
//! nothing but panic from functions that do anything else. `tool/dist/panics.txt` says of each why no input reaches it; one
//! that is not in there is an error.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use tool_support::{library, process};

/// The reasons, at the top of the repository.
const REASONS: &str = "tool/dist/panics.txt";

/// Parts of the names of functions that only panic.
const PANICKING: &[&str] = &[
    "core::panicking::",
    "core::cell::panic_",
    "::unwrap_failed",
    "::expect_failed",
    "_fail",
    "::assert_failed",
    "::capacity_overflow",
    "::handle_error",
    "::handle_alloc_error",
    "alloc_error_handler",
    "::rust_begin_unwind",
    "::abort_on_panic",
    "::__rust_abort",
];

/// Calls by their caller and what they call.
type Calls = BTreeMap<(String, String), usize>;

/// Lists the places, and compares them with the reasons.
///
/// # Errors
/// If a place has no reason, or the library cannot be built or read.
pub(crate) fn check() -> Result<()> {
    let library = library::build_with_symbols()?;
    let code = process::output(process::program("objdump", &["--disassemble", "--no-show-raw-insn"]).arg(&library))
        .context("objdump is part of binutils, which each C compiler brings")?;
    let found = calls(&code);
    ensure!(code.contains("abort_on_panic") && !found.is_empty(), "{} names no functions", library.display());
    let path = process::repository().join(REASONS);
    let reasons = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let report = compare(&found, &read(&reasons)?);
    println!("{}", report.summary);
    ensure!(
        report.unexplained.is_empty(),
        "panics without a reason in {REASONS}:\n{}\nRemove them from the code, or say there why no input reaches them.",
        report.unexplained.join("\n")
    );
    Ok(())
}

/// The calls of panicking functions from others.
fn calls(code: &str) -> Calls {
    let mut calls = Calls::new();
    let mut caller = None;
    for line in code.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            caller = Some(readable(name.1)).filter(|name| !is_panicking(name));
        } else if let (Some(caller), Some(target)) = (&caller, target(line)) {
            let target = readable(target);
            if is_panicking(&target) {
                *calls.entry((caller.clone(), target)).or_default() += 1;
            }
        }
    }
    calls
}

/// The function that a disassembled line calls or jumps to, if it is the start of one.
fn target(line: &str) -> Option<&str> {
    let (_, instruction) = line.split_once(":\t")?;
    let name = instruction.split_once('<')?.1.strip_suffix('>')?;
    let is_jump = instruction.starts_with("call") || instruction.starts_with('j');
    (is_jump && !name.contains("+0x")).then_some(name)
}

fn is_panicking(name: &str) -> bool {
    PANICKING.iter().any(|part| name.contains(part))
}

/// A name as Rust writes it, without what differs from build to build.
fn readable(name: &str) -> String {
    // The alternate form leaves hashes out.
    format!("{:#}", rustc_demangle::demangle(name))
}

/// A reason: for calls from functions and of functions whose names contain these parts, at most so many.
struct Reason {
    caller: String,
    called: String,
    most: usize,
}

/// Reads lines such as `2 x caller => called`; without a number, there may be any. Empty lines and those that start with
/// `#` are for the reader.
fn read(reasons: &str) -> Result<Vec<Reason>> {
    let lines = reasons.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| read_line(line).with_context(|| format!("{REASONS}: no reason: {line}"))).collect()
}

fn read_line(line: &str) -> Option<Reason> {
    let (caller, called) = line.split_once(" => ")?;
    let (most, caller) = match caller.split_once(" x ") {
        Some((most, caller)) => (most.parse().ok()?, caller),
        None => (usize::MAX, caller),
    };
    Some(Reason { caller: caller.trim_matches('*').to_owned(), called: called.trim_matches('*').to_owned(), most })
}

struct Report {
    summary: String,
    unexplained: Vec<String>,
}

fn compare(found: &Calls, reasons: &[Reason]) -> Report {
    let mut unexplained = Vec::new();
    let mut used = vec![0_usize; reasons.len()];
    for ((caller, called), count) in found {
        let fits = |reason: &Reason| caller.contains(&reason.caller) && called.contains(&reason.called);
        match reasons.iter().position(fits) {
            Some(index) => used.iter_mut().skip(index).take(1).for_each(|used| *used += count),
            None => unexplained.push(format!("{count} x {caller} => {called}")),
        }
    }
    for (reason, used) in reasons.iter().zip(&used) {
        if *used > reason.most {
            unexplained.push(format!("{used} x {} => {}, more than the {}", reason.caller, reason.called, reason.most));
        }
    }
    let stale: Vec<&Reason> =
        reasons.iter().zip(&used).filter(|(_, used)| **used == 0).map(|(reason, _)| reason).collect();
    let mut summary = format!(
        "{} calls of panicking functions, {} of them without a reason",
        found.values().sum::<usize>(),
        unexplained.len()
    );
    for reason in stale {
        summary += &format!("\nno longer there: {} => {}", reason.caller, reason.called);
    }
    Report { summary, unexplained }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "
0000000000011160 <_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt>:
   11160:\tcall   2000 <_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind>

0000000000012000 <_ZN4mine5parse17h0123456789abcdefE>:
   12000:\tcall   11160 <_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt>
   12005:\tjne    12000 <_ZN4mine5parse17h0123456789abcdefE>
   12009:\tjmp    11163 <_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt+0x3>
   1200d:\tje     11160 <_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt>
   12011:\tlea    0x10(%rip),%rax        # 11160 <_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt>
";

    #[test]
    fn calls_and_jumps_to_panicking_functions_are_found() {
        let expected = [(("mine::parse".to_owned(), "core::panicking::panic_fmt".to_owned()), 2)];
        assert_eq!(calls(CODE), Calls::from(expected));
    }

    #[test]
    fn what_has_no_reason_is_reported() {
        let judge = |reasons: &str| compare(&calls(CODE), &read(reasons).unwrap()).unexplained;
        assert_eq!(judge("# nothing"), ["2 x mine::parse => core::panicking::panic_fmt"]);
        assert_eq!(judge("mine::parse => panic_fmt"), [""; 0]);
        assert_eq!(judge("2 x mine::parse => panic_fmt"), [""; 0]);
        assert_eq!(judge("* => core::panicking::"), [""; 0]);
        assert_eq!(judge("1 x mine::parse => panic_fmt"), ["2 x mine::parse => panic_fmt, more than the 1"]);
        assert_eq!(judge("other::parse => panic_fmt").len(), 1);
    }

    #[test]
    fn reasons_are_lines_of_one_form() {
        assert!(read("mine::parse").is_err());
        assert!(read("two x mine::parse => panic_fmt").is_err());
    }
}
