//! The commands of the shell, which begin with a dot.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;

use super::format::Mode;
use super::session::{End, Output, Session};
use super::{catalog, dump, values};
use crate::output::Terminal;

/// What the shell does after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    Quit,
}

const HELP: &str = "\
.bail on|off         end at the first error, where nobody types
.changes on|off      show how many rows a statement has changed
.databases           names and files of the databases
.dump [PATTERN]      the database as SQL, or tables whose name is LIKE the pattern
.echo on|off         show each statement before it runs
.exit, .quit         end
.headers on|off      names of columns
.help                these lines
.indexes [TABLE]     names of indexes
.mode MODE [TABLE]   how rows are shown: box, table, column, markdown, list, tabs, csv, json,
                     line, insert (with the name of a table), quote
.nullvalue TEXT      what NULL looks like
.once FILE           write the result of the next statement to a file
.output [FILE]       write results to a file, or to the terminal again
.print TEXT          show the text
.read FILE           run the SQL and commands of a file
.schema [PATTERN]    SQL of tables, indexes, views and triggers
.separator TEXT      what is between values in the mode list
.show                the settings
.tables [PATTERN]    names of tables and views
.timer on|off        show how long a statement took
.version             versions of SQLite and of the extension

Statements end with a semicolon. Ctrl-C gives up what is typed or runs, Ctrl-D ends.
What the extension can do: docs/reference/functions.md, for instance
    SELECT * FROM powersync_rejected;
";

/// Runs a line that begins with a dot.
pub(super) fn run(session: &mut Session, line: &str) -> Result<Next> {
    let words = words(line)?;
    let Some((command, arguments)) = words.split_first() else {
        return Ok(Next::Continue);
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let connection = session.connection();
    let fits = matches!(session.output, Output::Stdout);
    match (command.as_str(), arguments.as_slice()) {
        (".quit" | ".exit" | ".q", _) => return Ok(Next::Quit),
        (".help" | ".h", _) => session.print(HELP)?,
        (".tables" | ".table", patterns) if patterns.len() < 2 => {
            let text = catalog::tables(connection, patterns.first().copied(), fits)?;
            session.print(&text)?;
        }
        (".indexes" | ".indices" | ".index", tables) if tables.len() < 2 => {
            let text = catalog::indexes(connection, tables.first().copied(), fits)?;
            session.print(&text)?;
        }
        (".schema", patterns) if patterns.len() < 2 => {
            let pattern = patterns.first().copied();
            session
                .print_data(|connection, out| Ok(out.write_all(catalog::schema(connection, pattern)?.as_bytes())?))?;
        }
        (".databases", []) => {
            let text = catalog::databases(connection)?;
            session.print(&text)?;
        }
        (".dump", patterns) if patterns.len() < 2 => {
            session.print_data(|connection, out| dump::write(connection, patterns.first().copied(), out))?;
        }
        (".read", [file]) => match session.run_file(file)? {
            End::Quit => return Ok(Next::Quit),
            End::Read { is_fine: true } => {}
            End::Read { is_fine: false } => bail!(".read: {file} was not run to its end"),
        },
        _ => return setting(session, command, &arguments),
    }
    Ok(Next::Continue)
}

/// Commands that change how the shell behaves, or show it.
fn setting(session: &mut Session, command: &str, arguments: &[&str]) -> Result<Next> {
    match (command, arguments) {
        (".mode", []) => {
            let mode = format!("{}\n", name_of(session.format.mode));
            session.print(&mode)?;
        }
        (".mode", [mode, table @ ..]) if table.len() < 2 => {
            session.format.mode = Mode::from_str(mode, true)
                .map_err(|_| anyhow!(".mode: there is no mode {mode}. Modes are: {}", modes().join(", ")))?;
            if let Some(table) = table.first() {
                session.format.table = values::name(table);
            }
        }
        (".headers" | ".header", [value]) => session.format.headers = Some(switch(command, value)?),
        (".nullvalue", [value]) => session.format.null = Some((*value).to_owned()),
        (".separator", [value]) => (*value).clone_into(&mut session.format.separator),
        (".bail", [value]) => session.settings.bail = switch(command, value)?,
        (".echo", [value]) => session.settings.echo = switch(command, value)?,
        (".timer", [value]) => session.settings.timer = switch(command, value)?,
        (".changes", [value]) => session.settings.changes = switch(command, value)?,
        (".print", words) => session.print(&format!("{}\n", words.join(" ")))?,
        (".output", [] | ["stdout"]) => session.output = Output::Stdout,
        (".output", [file]) => session.output = to_file(session.path(), file, false)?,
        (".once", [file]) => session.output = to_file(session.path(), file, true)?,
        (".show", []) => session.print(&settings(session))?,
        (".version", []) => {
            let versions =
                "SELECT 'SQLite ' || sqlite_version() || ', extension ' || powersync_rs_version() || char(10)";
            let versions: String = session.connection().query_row(versions, [], |row| row.get(0))?;
            session.print(&versions)?;
        }
        _ if HELP.lines().any(|line| line.split([' ', ',']).any(|word| word == command)) => {
            let usage = HELP.lines().find(|line| line.starts_with(command)).unwrap_or_default();
            bail!("{command} is used so: {usage}");
        }
        _ => bail!("There is no command {command}. To see all: .help"),
    }
    Ok(Next::Continue)
}

/// The database itself is no place for results.
fn to_file(database: &Path, name: &str, once: bool) -> Result<Output> {
    let is_same =
        |path: &Path| matches!((path.canonicalize(), database.canonicalize()), (Ok(one), Ok(two)) if one == two);
    if is_same(Path::new(name)) {
        bail!("{name} is the database. Its content would be lost.");
    }
    let file = File::create(name).with_context(|| format!("Making {name}"))?;
    let mut file = BufWriter::new(file);
    file.flush()?;
    Ok(Output::File { name: name.to_owned(), file, once })
}

fn settings(session: &Session) -> String {
    let on = |value: bool| if value { "on" } else { "off" };
    let format = &session.format;
    let output = match &session.output {
        Output::Stdout => "stdout",
        Output::File { name, .. } => name,
    };
    let width = Terminal::stdout().width().map_or_else(|| "none".to_owned(), |width| width.to_string());
    let lines = [
        ("bail", on(session.settings.bail).to_owned()),
        ("changes", on(session.settings.changes).to_owned()),
        ("echo", on(session.settings.echo).to_owned()),
        ("file", session.path().display().to_string()),
        ("headers", format.headers.map_or("as usual in the mode", on).to_owned()),
        ("mode", name_of(format.mode)),
        ("nullvalue", format.null.clone().unwrap_or_else(|| "as usual in the mode".to_owned())),
        ("output", output.to_owned()),
        ("separator", format!("{:?}", format.separator)),
        ("timer", on(session.settings.timer).to_owned()),
        ("width", width),
    ];
    lines.map(|(name, value)| format!("{name:>10}: {value}\n")).concat()
}

fn name_of(mode: Mode) -> String {
    mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn modes() -> Vec<String> {
    Mode::value_variants().iter().map(|mode| name_of(*mode)).collect()
}

fn switch(command: &str, value: &str) -> Result<bool> {
    match value.to_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Ok(true),
        "off" | "no" | "false" | "0" => Ok(false),
        _ => bail!("{command} is on or off, not {value}"),
    }
}

/// The words of a command. Those with blanks are in quotes; in double quotes `\\n`, `\\t`, `\\\"` and `\\\\` stand for characters.
fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut word = String::new();
        if first != '\'' && first != '"' {
            word.push(first);
            while let Some(char) = chars.next_if(|char| !char.is_whitespace()) {
                word.push(char);
            }
            // As SQL has it, which some fingers add to everything.
            words.push(word.strip_suffix(';').filter(|_| words.is_empty()).map(str::to_owned).unwrap_or(word));
            continue;
        }
        loop {
            match chars.next() {
                None => bail!("a quote {first} is not closed"),
                Some(char) if char == first => break,
                Some('\\') if first == '"' => match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some(char) => word.push(char),
                    None => {}
                },
                Some(char) => word.push(char),
            }
        }
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_may_be_in_quotes() {
        assert_eq!(words(".print a  'b c' \"d\\te\\\"\"").unwrap(), [".print", "a", "b c", "d\te\""]);
        assert_eq!(words(".quit;").unwrap(), [".quit"]);
        assert!(words(".read 'x").is_err());
    }
}
