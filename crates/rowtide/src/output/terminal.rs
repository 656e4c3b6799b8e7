//! What standard output and standard error are connected to.

use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};

/// A terminal that says to be narrower is not taken for one where it matters how wide it is.
const NARROWEST: u16 = 40;

/// Where output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    is_terminal: bool,
    is_dumb: bool,
    width: Option<u16>,
    style: Style,
}

impl Terminal {
    pub(crate) fn stdout() -> Self {
        let output = io::stdout();
        Self::new(&output, terminal_size_of(&output).map(|(Width(width), _)| width))
    }

    pub(crate) fn stderr() -> Self {
        let output = io::stderr();
        Self::new(&output, terminal_size_of(&output).map(|(Width(width), _)| width))
    }

    fn new(output: &impl IsTerminal, width: Option<u16>) -> Self {
        let style = if has_colour(output) { Style::Coloured } else { Style::Plain };
        Self { is_terminal: output.is_terminal(), is_dumb: is_dumb(), width, style }
    }

    /// Whether a person reads the output.
    pub(crate) fn is_read_by_a_person(self) -> bool {
        self.is_terminal
    }

    /// How many columns what is laid out may take; None without a terminal, or with one that is too narrow.
    pub(crate) fn width(self) -> Option<u16> {
        self.width.filter(|width| self.is_terminal && *width >= NARROWEST)
    }

    /// The same where a line can be written over.
    pub(crate) fn width_of_changing_lines(self) -> Option<u16> {
        self.width().filter(|_| !self.is_dumb)
    }

    pub(crate) fn style(self) -> Style {
        self.style
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether output may be coloured.
pub(crate) fn has_colour(output: &impl IsTerminal) -> bool {
    output.is_terminal() && !is_dumb() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

impl Style {
    pub(crate) fn of_stderr() -> Self {
        Terminal::stderr().style()
    }

    pub(crate) fn of_stdout() -> Self {
        Terminal::stdout().style()
    }

    /// The text in a colour, given as SGR parameters.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }
}
