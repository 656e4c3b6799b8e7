//! What is wrong in a configuration: a stable code, a message, a hint, and the place in the YAML file.

use serde::Serialize;

/// A range of byte offsets in the YAML file; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
}

impl Span {
    /// The range from `start` to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest range that contains both.
    pub fn to(self, other: Span) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The text of the range, empty when it is not one of `source`.
    pub fn text(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or_default()
    }
}

/// A place as editors show it: both numbers begin at 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// The line and column of a byte offset in `source`.
pub fn position(source: &str, offset: usize) -> Position {
    let mut before = source.len().min(offset);
    while !source.is_char_boundary(before) {
        before -= 1;
    }
    let before = source.get(..before).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// There is no plan.
    Error,
    /// The plan is complete, but probably not what was meant.
    Warning,
}

/// A change of the file that solves the problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By which text.
    pub replacement: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which kind of finding; its text form (`C001`) never changes.
    #[serde(serialize_with = "as_id")]
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, with the names concerned.
    pub message: String,
    /// What to do, in one line.
    pub hint: &'static str,
    /// A change that solves it, where there is just one.
    pub fix: Option<Fix>,
    /// Where, in the YAML file.
    pub span: Span,
}

fn as_id<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.id())
}

impl Diagnostic {
    /// A finding with the severity and hint of its code.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), message: message.into(), hint: code.hint(), fix: None, span }
    }

    /// Adds a change that solves the problem.
    pub fn with_fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }
}

macro_rules! codes {
    ($($name:ident $id:literal $severity:ident $hint:literal;)*) => {
        /// The kinds of findings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the hints below say what each is about")]
        pub enum Code { $($name),* }

        impl Code {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The stable text, for instance `C001`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$name => $id),* }
            }

            /// What to do.
            pub fn hint(self) -> &'static str {
                match self { $(Code::$name => $hint),* }
            }

            /// Whether it prevents a plan.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity),* }
            }
        }
    };
}

codes! {
    YamlSyntax "C001" Error "Check indentation, quotes and colons near this place.";
    DuplicateKey "C002" Error "Remove one of the two entries.";
    UnknownKey "C003" Error "Check the spelling, or remove the entry.";
    WrongType "C004" Error "Give a value of the expected type.";
    MissingKey "C005" Error "Add the missing entry.";
    ConflictingKeys "C006" Error "Keep only one of the two.";
    BadEdition "C007" Error "Use `edition: 3`.";
    BadValue "C008" Error "Give one of the permitted values.";
    DuplicateName "C009" Error "Streams and bucket definitions share their names; rename one.";
    YamlFeature "C010" Error "Write the value without tags.";
    SqlSyntax "C020" Error "Check the SQL near this place.";
    ReservedWord "C021" Error "Put the name into double quotes.";
    NotSupported "C022" Error "Sync queries are a subset of SQL; rewrite this part with joins, IN and OR.";
    OneStatement "C023" Error "Use `queries` for several SELECT statements.";
    TooLarge "C024" Error "Split the query into several.";
    UnknownFunction "C030" Error "See the list of functions.";
    ArgumentCount "C031" Error "Check the arguments of the function.";
    NotDeterministic "C032" Error "Sync definitions must give the same result for the same row at any time.";
    UnknownTable "C033" Error "Name a table or alias of this query's FROM.";
    AmbiguousReference "C034" Error "Write the table or its alias before the column.";
    DuplicateSource "C035" Error "Give each source in FROM a different alias.";
    UnknownColumn "C036" Error "Add the column to the subquery or CTE.";
    WrongColumnCount "C037" Error "Both sides of IN need the same number of columns.";
    BadWildcard "C038" Error "`%` is only permitted at the end of a table or schema name.";
    UnknownType "C039" Error "Use text, numeric, integer, real or blob.";
    SeveralTables "C040" Error "Use one stream query per table, with `queries`.";
    NoResultTable "C041" Error "Select columns of a table.";
    SelectsConnectionValue "C042" Error "Select only columns of the table; clients know their own parameters.";
    MixedSources "C043" Error "Compare the two sides with `=`, or with IN.";
    NegatedSubquery "C044" Error "NOT IN works with literal lists and JSON arrays only.";
    TooManyBranches "C045" Error "Split the query into several streams, or simplify OR terms.";
    TooManyDefinitions "C046" Error "Split the stream into several.";
    BucketParameters "C050" Error "Compare each bucket parameter with exactly one column.";
    ParameterQuery "C051" Error "See the rules for parameter queries.";
    PriorityTwice "C052" Error "Set the priority in one place.";
    MissingId "C053" Error "Select a column `id`, for instance `SELECT uuid AS id`.";
    WriteTable "C060" Error "Name a table of the database that clients write to.";
    WriteColumn "C061" Error "Name a column of the table in the database.";
    WriteKey "C062" Error "Name a column that is unique with `key`, for instance `key: uuid`.";
    WriteExpression "C063" Error "Write rules use auth.user_id(), auth.parameter() and tables of the database.";
    UnusedCte "C101" Warning "Remove it, or use it in a query.";
    CteHidesTable "C102" Warning "Rename the common table expression.";
    DeprecatedEdition "C103" Warning "Use `edition: 3`.";
    Ignored "C104" Warning "This has no effect here and can be removed.";
    TableNotFound "C105" Warning "Check the name, and that the table is replicated.";
    ColumnNotFound "C106" Warning "Check the name.";
    TypeMismatch "C107" Warning "Text never equals a number; use a cast.";
    UnnamedColumn "C108" Warning "Add AS and a name.";
    StarOverwrites "C109" Warning "Put `*` first.";
    AliasIsOutputName "C110" Warning "The alias is the table's name on clients; put it into double quotes if that is meant.";
    Unauthenticated "C111" Warning "Compare with auth.user_id() too, or set accept_potentially_dangerous_queries: true.";
    NoId "C112" Warning "Rows without an id are not synced; select one, for instance `SELECT uuid AS id`.";
    AddParentheses "C113" Warning "Add parentheses; PostgreSQL or SQLite would group this differently.";
    NeverTrue "C114" Warning "Check the condition.";
    NoWildcard "C115" Warning "table_suffix() is empty unless the table's name ends with %.";
    AllWritable "C116" Warning "Use `default: deny`, and name the tables that clients may write.";
    NoCheck "C117" Warning "Add `check`, for instance `check: owner_id = auth.user_id()`.";
}
