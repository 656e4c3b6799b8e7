//! Reads `scenario.txt`: what the todo programs are told to do, and what they must print. Its beginning describes the form.

use anyhow::{Context, Result, ensure};
use tool_support::examples;

/// A part of the scenario, which does not depend on the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    /// Whether the program that uses the SDK does this, too.
    pub(super) is_for_sdk: bool,
    pub(super) steps: Vec<Step>,
}

/// A step, with the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) action: Action,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Runs the program until it ends.
    Run {
        who: Who,
        arguments: String,
        expected: Vec<String>,
        status: i32,
    },
    /// Starts the program.
    Begin {
        who: Who,
        arguments: String,
    },
    /// Waits for what a started program prints.
    Wait {
        who: Who,
        expected: Vec<String>,
    },
    KillService,
    StartService,
    /// The first stream from now on says that the token expires in so many seconds.
    Expire(u32),
    /// Waits for the next request of a token or a stream, which must be this one.
    Request(Request),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Token,
    Stream,
}

/// A user and one of their devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) user: String,
    pub(super) device: String,
}

/// Reads a scenario.
///
/// # Errors
/// Names the line that it does not understand.
pub(super) fn parse(text: &str) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            let is_for_sdk = !name.ends_with("(without the SDK)");
            parts.push(Part { name: name.to_owned(), is_for_sdk, steps: Vec::new() });
            continue;
        }
        let part = parts.last_mut();
        let has_place = match (part, action(line)) {
            (Some(part), Some(action)) => {
                part.steps.push(Step { line: number, action });
                true
            }
            (Some(part), None) => expect(part.steps.last_mut(), line),
            (None, action) => action.is_none() && line.is_empty(),
        };
        ensure!(has_place, "line {number} of the scenario is out of place: {line}");
    }
    parts.iter().all(|part| !part.steps.is_empty()).then_some(parts).context("a part of the scenario has no steps")
}

/// The session that a page shows, with prompts of a shell, as a part. Ids of new rows are random: the page has one of them.
///
/// # Errors
/// If there is none, or it is not understood.
pub(super) fn session(page: &str) -> Result<Part> {
    let marked = examples::examples(page).into_iter().find(|example| example.kind == "session");
    let code = marked.context("the page shows no session")?.code;
    let words = code.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
    let ids = words.filter(|word| word.len() == 36 && word.matches('-').count() == 4);
    let code = ids.fold(code.clone(), |code, id| code.replace(id, "{new}"));
    let mut parts = parse(&format!("== the session of the page\n{}", code.replace("$ todo ", "alice@phone$ todo ")))?;
    parts.pop().context("a session is one part")
}

/// The step that a line begins.
fn action(line: &str) -> Option<Action> {
    match line {
        "service kill" => return Some(Action::KillService),
        "service start" => return Some(Action::StartService),
        "token is requested" => return Some(Action::Request(Request::Token)),
        "stream is requested" => return Some(Action::Request(Request::Stream)),
        _ => {}
    }
    if let Some(seconds) = line.strip_prefix("token expires in ") {
        return Some(Action::Expire(seconds.parse().ok()?));
    }
    let (user, rest) = line.split_once('@')?;
    let (device, rest) = rest.split_once(['$', '&', '>'])?;
    let who = Who { user: name(user)?, device: name(device)? };
    let sign = line.get(user.len() + device.len() + 1..)?.chars().next()?;
    let arguments = || Some(rest.trim().strip_prefix("todo ")?.to_owned());
    match sign {
        '$' => Some(Action::Run { who, arguments: arguments()?, expected: Vec::new(), status: 0 }),
        '&' => Some(Action::Begin { who, arguments: arguments()? }),
        _ if rest.is_empty() => Some(Action::Wait { who, expected: Vec::new() }),
        _ => None,
    }
}

fn name(text: &str) -> Option<String> {
    (!text.is_empty() && text.chars().all(char::is_alphanumeric)).then(|| text.to_owned())
}

/// Adds a line of output, or an exit status, to a step. Whether it can have one.
fn expect(step: Option<&mut Step>, line: &str) -> bool {
    match step.map(|step| &mut step.action) {
        Some(Action::Run { status, .. }) if line.starts_with('[') => {
            let number = line.trim_matches(['[', ']']).parse();
            *status = number.unwrap_or_default();
            *status != 0
        }
        Some(Action::Run { expected, .. } | Action::Wait { expected, .. }) if !line.is_empty() => {
            expected.push(line.to_owned());
            true
        }
        _ => line.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Who {
        Who { user: "alice".into(), device: "phone".into() }
    }

    #[test]
    fn steps_have_what_must_be_printed() {
        let text = "# c\n\n== one\na\n";
        assert!(parse(text).is_err(), "a line of output before any command");
        let text = "== one\nalice@phone$ todo add l \"a b\"\n  [ ] a@b$ (1)\n\n[1]\nservice kill\n== two (without the SDK)\n\
                    alice@phone& todo watch\nalice@phone>\n…\nx\n";
        let parts = parse(text).unwrap();
        let run = Action::Run {
            who: alice(),
            arguments: "add l \"a b\"".into(),
            expected: vec!["  [ ] a@b$ (1)".into()],
            status: 1,
        };
        let steps = vec![Step { line: 2, action: run }, Step { line: 6, action: Action::KillService }];
        assert_eq!(parts[0], Part { name: "one".into(), is_for_sdk: true, steps });
        assert!(!parts[1].is_for_sdk);
        let wait = Action::Wait { who: alice(), expected: vec!["…".into(), "x".into()] };
        assert_eq!(parts[1].steps[1], Step { line: 9, action: wait });
    }

    #[test]
    fn a_page_can_show_a_session() {
        let page = "<!-- run: session -->\n```console\n$ todo list\na (ec447175-5011-4110-8975-750c5b47d4e3)\n$ todo sync\n```\n";
        let steps = session(page).unwrap().steps;
        let run = |arguments: &str, expected: &[&str]| Action::Run {
            who: alice(),
            arguments: arguments.into(),
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
            status: 0,
        };
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].action, run("list", &["a ({new})"]));
        assert!(session("```console\n$ todo list\n```\n").is_err());
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for text in
            ["x", "== a", "== a\nservice kill\nx", "== a\nalice@phone$ todo list\n[x]", "== a\ntoken expires in x"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
