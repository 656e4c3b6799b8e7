//! Splits text into SQL statements, as it comes: at semicolons that are not in quotes, comments or triggers.

/// A statement with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// From its first word on.
    pub(super) sql: String,
    /// The line of its first word, counted from 1.
    pub(super) line: usize,
}

/// Text of which complete statements are taken.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    text: String,
    /// How much of the text was looked at.
    position: usize,
    within: Within,
    /// Where the first word is, and on which line.
    start: Option<(usize, usize)>,
    trigger: Trigger,
    /// How many lines there were.
    lines: usize,
}

/// What the text at the position belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Statement,
    /// Ends with this character.
    Quotes(u8),
    LineComment,
    BlockComment,
}

/// Whether a statement makes a trigger, in which there are semicolons: it ends with one, END and another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trigger {
    #[default]
    Unknown,
    /// After EXPLAIN, QUERY or PLAN.
    Explain,
    /// After CREATE, TEMP or TEMPORARY.
    Create,
    No,
    Body,
    Semicolon,
    End,
}

impl Trigger {
    fn after_word(self, word: &str) -> Self {
        let is = |words: &[&str]| words.iter().any(|each| each.eq_ignore_ascii_case(word));
        match self {
            Self::Unknown | Self::Explain if is(&["EXPLAIN", "QUERY", "PLAN"]) => Self::Explain,
            Self::Unknown | Self::Explain if is(&["CREATE"]) => Self::Create,
            Self::Create if is(&["TEMP", "TEMPORARY"]) => Self::Create,
            Self::Create if is(&["TRIGGER"]) => Self::Body,
            Self::Semicolon if is(&["END"]) => Self::End,
            Self::Body | Self::Semicolon | Self::End => Self::Body,
            _ => Self::No,
        }
    }

    fn after_other(self) -> Self {
        self.after_word("")
    }
}

impl Splitter {
    /// Adds a line, without its end.
    pub(super) fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1;
    }

    /// Whether there is no statement that has begun. In a comment, there is.
    pub(super) fn is_between(&self) -> bool {
        self.start.is_none() && self.within != Within::BlockComment
    }

    /// Forgets what is there.
    pub(super) fn clear(&mut self) {
        *self = Self { lines: self.lines, ..Self::default() };
    }

    /// The next complete statement.
    pub(super) fn next(&mut self) -> Option<Statement> {
        while let Some(byte) = self.text.as_bytes().get(self.position).copied() {
            let at = self.position;
            self.position += 1;
            if self.step(byte, at) {
                return self.take();
            }
        }
        if self.is_between() && self.within == Within::Statement {
            // Blank lines and comments.
            self.text.clear();
            self.position = 0;
        }
        None
    }

    /// What is left, at the end of the text.
    pub(super) fn rest(&mut self) -> Option<Statement> {
        self.position = self.text.len();
        self.take()
    }

    fn take(&mut self) -> Option<Statement> {
        let rest = self.text.split_off(self.position.min(self.text.len()));
        let text = std::mem::replace(&mut self.text, rest);
        let start = self.start.take();
        (self.position, self.within, self.trigger) = (0, Within::default(), Trigger::default());
        let (start, line) = start?;
        Some(Statement { sql: text.get(start..)?.trim_end().to_owned(), line })
    }

    /// Looks at one byte; whether the statement ends with it.
    fn step(&mut self, byte: u8, at: usize) -> bool {
        let next = self.text.as_bytes().get(at + 1).copied();
        match self.within {
            Within::Quotes(end) if byte == end => self.within = Within::Statement,
            Within::LineComment if byte == b'\n' => self.within = Within::Statement,
            Within::BlockComment if (byte, next) == (b'*', Some(b'/')) => {
                self.position += 1;
                self.within = Within::Statement;
            }
            Within::Statement => return self.step_in_statement(byte, next, at),
            _ => {}
        }
        false
    }

    fn step_in_statement(&mut self, byte: u8, next: Option<u8>, at: usize) -> bool {
        match (byte, next) {
            (b'-', Some(b'-')) => self.within = Within::LineComment,
            (b'/', Some(b'*')) => {
                self.position += 1;
                self.within = Within::BlockComment;
            }
            (b';', _) => {
                return match self.trigger {
                    Trigger::Body | Trigger::Semicolon => {
                        self.trigger = Trigger::Semicolon;
                        false
                    }
                    // A lone semicolon is no statement.
                    _ => {
                        let is_statement = self.start.is_some();
                        if !is_statement {
                            self.take();
                        }
                        is_statement
                    }
                };
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                self.begin(at);
                self.token(byte, at);
            }
        }
        false
    }

    fn token(&mut self, byte: u8, at: usize) {
        match byte {
            b'\'' | b'"' | b'`' => self.within = Within::Quotes(byte),
            b'[' => self.within = Within::Quotes(b']'),
            _ if is_of_word(byte) => {
                let bytes = self.text.as_bytes().iter().skip(at);
                let end = at + bytes.take_while(|byte| is_of_word(**byte)).count();
                self.trigger = self.trigger.after_word(self.text.get(at..end).unwrap_or_default());
                self.position = end;
                return;
            }
            _ => {}
        }
        self.trigger = self.trigger.after_other();
    }

    fn begin(&mut self, at: usize) {
        if self.start.is_none() {
            let rest = self.text.get(at..).unwrap_or_default();
            let lines_after = rest.bytes().filter(|byte| *byte == b'\n').count();
            self.start = Some((at, (self.lines + 1).saturating_sub(lines_after)));
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(lines: &[&str]) -> Vec<(String, usize)> {
        let mut splitter = Splitter::default();
        let mut all = Vec::new();
        for line in lines {
            splitter.push(line);
            while let Some(statement) = splitter.next() {
                all.push((statement.sql, statement.line));
            }
        }
        all.extend(splitter.rest().map(|statement| (statement.sql, statement.line)));
        all
    }

    fn one(text: &str) -> Vec<(String, usize)> {
        vec![(text.to_owned(), 1)]
    }

    #[test]
    fn statements_end_at_semicolons_and_know_their_line() {
        let lines = ["SELECT 1; SELECT", " 2", ";", "", "-- nothing", ";;", "  SELECT 3"];
        let expected = [("SELECT 1;", 1), ("SELECT\n 2\n;", 1), ("SELECT 3", 7)];
        assert_eq!(split(&lines), expected.map(|(sql, line)| (sql.to_owned(), line)));
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        for sql in [
            "SELECT ';''';",
            "SELECT \";\";",
            "SELECT `;`, [;];",
            "SELECT 1 -- ;\n;",
            "SELECT /* ; ' */ 1;",
            "SELECT 'é;';",
        ] {
            assert_eq!(split(&sql.split('\n').collect::<Vec<_>>()), one(sql));
        }
        assert_eq!(split(&["/* SELECT 1;", "*/ SELECT 2;"]), [("SELECT 2;".to_owned(), 2)]);
        assert_eq!(split(&["-- only a comment"]), []);
    }

    #[test]
    fn triggers_end_with_end() {
        for sql in [
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT CASE WHEN 1 THEN 2 END; END;",
            "explain query plan create temp trigger t AFTER INSERT ON a BEGIN SELECT 'END;'; END ;",
        ] {
            assert_eq!(split(&[sql]), one(sql));
        }
        assert_eq!(split(&["CREATE TABLE trigger_end(a); END;"]).len(), 2);
    }
}
