//! Runs scenarios in another process, which may be made for another machine: writes them as commands of
//! `tests/hosts/c/main.c`, and judges what that program prints.

use std::io::Write;
use std::process::{Command, Stdio};

use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use crate::bson;
use crate::host::HostError;
use crate::scenario::{LineEncoding, in_transaction, judge, payload, sql_values, unhex};
use crate::values::hex;

/// What came of one command.
type Outcome = Result<Value, HostError>;

/// Runs one scenario on a new database of that name, by a program that reads commands.
///
/// # Errors
/// The number of the step (counted from 1) and what was different, or what is wrong with the program.
pub fn run(scenario: &Value, encoding: LineEncoding, database: &str, program: &mut Command) -> Result<(), String> {
    let steps = scenario["steps"].as_array().ok_or("a scenario has steps")?;
    let opening = opening(database, scenario.get("schema"));
    let mut script = opening.clone();
    for (index, step) in steps.iter().enumerate() {
        let commands = commands(step, encoding, &opening);
        script.push_str(&commands.map_err(|problem| format!("step {}: {problem}", index + 1))?);
    }
    let printed = converse(program, script)?;
    let mut answers = Answers(printed.lines());
    answers.succeed(OPENING, "opening")?;
    for (index, step) in steps.iter().enumerate() {
        let judged = match step.get("reopen") {
            Some(_) => answers.succeed(1 + OPENING, "opening again"),
            None => answers.next().and_then(|outcome| judge(step, outcome.and_then(|rows| result(step, rows)))),
        };
        judged.map_err(|problem| format!("step {}: {problem}", index + 1))?;
    }
    Ok(())
}

/// Checks that what the library logs arrives as it is: of all functions of SQLite that it calls, this one has variable
/// arguments, which systems pass in different ways.
///
/// # Errors
/// What was different, or what is wrong with the program.
pub fn check_log(database: &str, program: &mut Command) -> Result<(), String> {
    let schema = |columns: Value| json!({"tables": [{"name": "things", "columns": columns, "direct": true}]});
    let column = |name: &str| json!({"name": name, "type": "text"});
    let mut script = opening(database, Some(&schema(json!([column("name"), column("size")]))));
    script.push_str(&command("run", "CREATE INDEX by_size ON things (size)", &[]));
    let smaller = schema(json!([column("name")])).to_string();
    script.push_str(&command("transaction", "SELECT powersync_replace_schema(?)", &[smaller.into()]));
    script.push_str("logged\n");
    let printed = converse(program, script)?;
    let mut answers = Answers(printed.lines());
    answers.succeed(OPENING + 2, "the schemas")?;
    let logged = answers.next()?.map_err(|error| error.to_string())?;
    let text = logged.pointer("/0/0").and_then(Value::as_str).unwrap_or_default();
    let is_whole =
        text.starts_with("powersync_replace_schema: column not dropped") && text.ends_with("DROP COLUMN \"size\"");
    if is_whole { Ok(()) } else { Err(format!("logged: {text:?}")) }
}

/// How many commands open a database.
const OPENING: usize = 2;

/// The commands that open a database and prepare it.
fn opening(database: &str, schema: Option<&Value>) -> String {
    let prepare = match schema {
        Some(schema) => command("transaction", "SELECT powersync_replace_schema(?)", &[schema.to_string().into()]),
        None => command("transaction", "SELECT powersync_init()", &[]),
    };
    format!("open {}\n{prepare}", hex(database.as_bytes()))
}

/// The commands of a step.
fn commands(step: &Value, encoding: LineEncoding, opening: &str) -> Result<String, String> {
    if step.get("reopen").is_some() {
        return Ok(format!("close\n{opening}"));
    }
    let control = |operation: &str, payload: SqlValue| {
        command("transaction", "SELECT powersync_control(?, ?)", &[operation.to_owned().into(), payload])
    };
    match (&step["sql"], &step["control"], &step["line"], encoding) {
        (Value::String(sql), ..) => {
            let word = if in_transaction(step) { "transaction" } else { "run" };
            Ok(command(word, sql, &sql_values(&step["parameters"])))
        }
        (_, Value::String(operation), ..) => Ok(control(operation, payload(&step["payload"])?.0)),
        (_, _, line, LineEncoding::Text) => Ok(control("line_text", line.to_string().into())),
        (_, _, line, LineEncoding::Binary) => Ok(control("line_binary", bson::encode(line).into())),
    }
}

fn command(word: &str, sql: &str, parameters: &[SqlValue]) -> String {
    let mut line = format!("{word} {}", hex(sql.as_bytes()));
    for value in parameters {
        let encoded = match value {
            SqlValue::Null => "n".to_owned(),
            SqlValue::Integer(integer) => format!("i{integer}"),
            SqlValue::Real(real) => format!("r{real:e}"),
            SqlValue::Text(text) => format!("t{}", hex(text.as_bytes())),
            SqlValue::Blob(blob) => format!("b{}", hex(blob)),
        };
        line.push(' ');
        line.push_str(&encoded);
    }
    line + "\n"
}

/// Gives a program its input, and takes what it prints.
fn converse(program: &mut Command, input: String) -> Result<String, String> {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program:?}: {error}"))?;
    // Written from another thread, for neither side waits until the other has said all.
    let writer = child.stdin.take().map(|mut stdin| std::thread::spawn(move || stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(|error| format!("{program:?}: {error}"))?;
    // A program that ends early is noticed by what it did not answer.
    let _ = writer.map(std::thread::JoinHandle::join);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(printed),
        false => Err(format!("{program:?} ended with {}, after: {printed}", output.status)),
    }
}

/// What a program printed.
struct Answers<'t>(std::str::Lines<'t>);

impl Answers<'_> {
    /// What came of the next command: its rows, or an error.
    fn next(&mut self) -> Result<Outcome, String> {
        let mut rows = Vec::new();
        loop {
            let line = self.0.next().ok_or("the program printed too little")?;
            let mut words = line.trim_end().split(' ');
            match words.next() {
                Some("row") => rows.push(words.map(value).collect::<Result<Vec<Value>, String>>()?),
                Some("done") => return Ok(Ok(json!(rows))),
                Some("error") => {
                    let code = words.next().and_then(|code| code.parse().ok()).ok_or(format!("no code: {line}"))?;
                    return Ok(Err(HostError { code, message: text(words.next().unwrap_or_default())? }));
                }
                _ => return Err(format!("the program printed {line:?}")),
            }
        }
    }

    /// Expects that so many commands have succeeded.
    fn succeed(&mut self, count: usize, what: &str) -> Result<(), String> {
        for _ in 0..count {
            self.next()?.map_err(|error| format!("{what}: {error}"))?;
        }
        Ok(())
    }
}

/// What a step is judged by: the rows of a statement, but the one value of a control call.
fn result(step: &Value, rows: Value) -> Outcome {
    if step.get("sql").is_some() {
        return Ok(rows);
    }
    match rows.pointer("/0/0") {
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| HostError { code: -1, message: format!("the result is no JSON ({error}): {text}") }),
        other => Ok(other.cloned().unwrap_or_default()),
    }
}

/// One value, as `values::to_json` writes it.
fn value(word: &str) -> Result<Value, String> {
    let problem = || format!("no value: {word}");
    let (kind, rest) = word.split_at_checked(1).ok_or_else(problem)?;
    Ok(match kind {
        "n" => Value::Null,
        "i" => rest.parse::<i64>().map_err(|_| problem())?.into(),
        "r" => match rest.parse::<f64>().map_err(|_| problem())? {
            real if real.is_finite() => real.into(),
            real => json!({ "real": real.to_string() }),
        },
        "t" => text(rest)?.into(),
        "b" => json!({ "blob": rest }),
        _ => return Err(problem()),
    })
}

fn text(digits: &str) -> Result<String, String> {
    let bytes = unhex(digits).ok_or(format!("not hexadecimal: {digits}"))?;
    String::from_utf8(bytes).map_err(|_| format!("not UTF-8: {digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_carry_all_kinds_of_values() {
        let step = json!({"sql": "SELECT 'a b'", "parameters": [null, -1, 0.5, "x y"]});
        let text = commands(&step, LineEncoding::Text, "").unwrap();
        assert_eq!(text, "run 53454c4543542027612062 n i-1 r5e-1 t782079\n".replace("2062", "206227"));
        let payload = json!({"control": "next", "payload": {"$blob": "00ff"}});
        assert!(commands(&payload, LineEncoding::Text, "").unwrap().ends_with(" t6e657874 b00ff\n"));
        assert_eq!(commands(&json!({"reopen": true}), LineEncoding::Text, "open 61\n").unwrap(), "close\nopen 61\n");
    }

    #[test]
    fn answers_are_read_back() {
        let mut answers = Answers("row i1 r0.5 t6162 b00 n\ndone\nrow i1\nerror 3091 6f68\nwhat\n".lines());
        assert_eq!(answers.next(), Ok(Ok(json!([[1, 0.5, "ab", {"blob": "00"}, null]]))));
        assert_eq!(answers.next(), Ok(Err(HostError { code: 3091, message: "oh".to_owned() })));
        assert!(answers.next().is_err());
        assert!(answers.next().is_err());
    }

    #[test]
    fn a_program_that_fails_or_says_nothing_does_not_pass() {
        let scenario = json!({"steps": []});
        let run = |name: &str| run(&scenario, LineEncoding::Text, "x", &mut Command::new(name));
        assert!(run("false").is_err() && run("true").is_err() && run("/nothing/there").is_err());
        assert!(check_log("x", &mut Command::new("true")).is_err());
    }
}
