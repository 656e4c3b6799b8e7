//! Random expressions, evaluated here and by SQLite. Named deviations are left out: see [`crate::deviations`].
//!
//! `SYNC_CONFIG_EXPRESSIONS` sets the number of expressions, `SYNC_CONFIG_SEED` where to begin.

use std::cell::Cell;

use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;

use crate::expr::{Expr, Frame, Slot};
use crate::plan::{Output, RowRef};
use crate::{CompileOptions, Value, compile};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

const COLUMNS: &[&str] = &["a", "b", "c", "j"];

const TEXTS: &[&str] = &[
    "",
    "a",
    "abc",
    "ABC",
    "1",
    "1.0",
    " 12 ",
    "1e3",
    "1abc",
    ".5",
    "-",
    "+5",
    "0x10",
    "9223372036854775808",
    "-7",
    "a%b",
    "a_c",
    "2024-01-02",
    "2024-01-02 03:04:05.678",
    "2024-02-29T23:59:59Z",
    "12:34",
    "2024-01-02T03:04:05+02:00",
    "2024-13-01",
    "0000-01-01",
    "1704164645",
    "1e400",
    "12.",
    "1e",
    "  x  ",
    "[a]b",
    "9999-12-31 23:59:59.999",
    "u1",
    "42",
];
const WIDE: &[&str] = &["Hé😀", "ß", "日本語"];
const JSON: &[&str] = &[
    "{\"a\":1,\"b\":{\"c\":[1,2.50,\"x\"]},\"a b\":null}",
    "[1,\"2\",null,true,{\"k\":1e3},[ ]]",
    "{\"a\":\"\\u0041\\n\\\"q\\\"\",\"c\":false}",
    "[]",
    "{}",
    "[9223372036854775807, 9223372036854775808, -0.0, 1.5]",
];
const LITERALS: &[&str] = &[
    "NULL",
    "0",
    "1",
    "2",
    "(-3)",
    "1.5",
    "0.0",
    "1e21",
    "9223372036854775807",
    "'1'",
    "'abc'",
    "''",
    "' 2 '",
    "x'61'",
    "TRUE",
];
const PATHS: &[&str] =
    &["'$'", "'$.a'", "'$.b.c'", "'$.b.c[1]'", "'$[0]'", "'$[#-1]'", "'$.\"a b\"'", "'$[4].k'", "'$.zz'"];

struct Generator<'r> {
    random: &'r mut Random,
    /// Whether texts beyond ASCII may occur.
    wide: bool,
}

impl Generator<'_> {
    fn expr(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.below(10) == 0 {
            return match self.random.below(5) {
                0 => self.random.pick(LITERALS).to_owned(),
                1 => format!("'{}'", self.random.pick(if self.wide { WIDE } else { TEXTS })),
                _ => self.random.pick(&["a", "b", "c"]).to_owned(),
            };
        }
        let x = self.expr(depth - 1);
        let y = self.expr(depth - 1);
        match self.random.below(20) {
            0..=2 => {
                let operator = self.random.pick(&["=", "!=", "<", "<=", ">", ">=", "IS", "IS NOT", "<>"]);
                format!("({x} {operator} {y})")
            }
            3 | 4 => {
                let operator = self.random.pick(&["+", "-", "*", "/", "%", "&", "|", "<<", ">>", "||"]);
                format!("({x} {operator} {y})")
            }
            5 => format!("({x} {} {y})", self.random.pick(&["AND", "OR"])),
            6 => match self.random.below(4) {
                0 => format!("(NOT {x})"),
                1 => format!("(-{x})"),
                2 => format!("(+{x})"),
                _ => format!(
                    "({x} IS {})",
                    self.random.pick(&["NULL", "NOT NULL", "TRUE", "NOT TRUE", "FALSE", "NOT FALSE"])
                ),
            },
            7 => format!("cast({x} AS {})", self.random.pick(&["text", "integer", "real", "numeric", "blob"])),
            8 => format!("({x} {}BETWEEN {y} AND {})", self.random.pick(&["", "NOT "]), self.expr(depth - 1)),
            9 => format!("({x} {}IN ({y}, {}, 'a'))", self.random.pick(&["", "NOT "]), self.expr(depth - 1)),
            10 => format!("CASE WHEN {x} THEN {y} ELSE {} END", self.expr(depth - 1)),
            11 => format!("CASE {x} WHEN {y} THEN 1 WHEN {} THEN 'two' END", self.expr(depth - 1)),
            12 => {
                let pattern = self.random.pick(&["'a%'", "'%b%'", "'_'", "'A_C'", "'%'", "''", "'1%'"]);
                format!("({x} {}LIKE {pattern})", self.random.pick(&["", "NOT "]))
            }
            13 => {
                let pattern = self.random.pick(&["'a*'", "'?'", "'[a-c]*'", "'[^a]*'", "'*b*'", "'[[]a]b'", "'[]a]*'"]);
                format!("({x} GLOB {pattern})")
            }
            14 => self.json(&x),
            15 => self.date(&x),
            _ => self.function(&x, &y),
        }
    }

    fn function(&mut self, x: &str, y: &str) -> String {
        match self.random.below(18) {
            0 => format!("hex({x})"),
            1 => format!("length({x})"),
            2 => format!("instr({x}, {y})"),
            3 => format!("substr({x}, {y})"),
            4 => format!("substr({x}, {}, {})", self.small(), self.small()),
            5 => format!("typeof({x})"),
            6 => format!("abs({x})"),
            7 => format!("round({x})"),
            8 => format!("round({x}, {})", self.random.below(5)),
            9 => format!("{}({x})", self.random.pick(&["trim", "ltrim", "rtrim"])),
            10 => format!("{}({x}, {y})", self.random.pick(&["trim", "ltrim", "rtrim"])),
            11 => format!("replace({x}, {y}, 'z')"),
            12 => format!("coalesce({x}, {y})"),
            13 => format!("nullif({x}, {y})"),
            14 => format!("iif({x}, {y}, 'no')"),
            15 if !self.wide => format!("{}({x})", self.random.pick(&["lower", "upper"])),
            16 => format!("printf('%05d|%s|%3d%%', {x}, {y}, {x})"),
            _ => format!("ifnull({x}, {y})"),
        }
    }

    fn small(&mut self) -> i64 {
        self.random.below(9) as i64 - 4
    }

    fn json(&mut self, x: &str) -> String {
        match self.random.below(10) {
            0 | 1 => {
                let key = self.random.pick(&[
                    "'a'",
                    "'b'",
                    "'a b'",
                    "0",
                    "1",
                    "-1",
                    "'$.b.c'",
                    "'$[1]'",
                    "'1'",
                    "'[0]'",
                    "'$.b.c[1]'",
                ]);
                format!("(j {} {key})", self.random.pick(&["->", "->>"]))
            }
            2 => format!("json_extract(j, {})", self.random.pick(PATHS)),
            3 => format!("json_extract(j, {}, {})", self.random.pick(PATHS), self.random.pick(PATHS)),
            4 => format!("json_array_length(j, {})", self.random.pick(PATHS)),
            5 => format!("json_type(j, {})", self.random.pick(PATHS)),
            6 => format!("json_array({x}, 'q', j -> 'a')"),
            7 => format!("json_object('k', {x}, 'l', json_array(1, {x}))"),
            8 => "json_array_length(j)".to_owned(),
            _ => format!("({x} {}IN [[j]])", self.random.pick(&["", "NOT "])),
        }
    }

    fn date(&mut self, x: &str) -> String {
        let arg = match self.random.below(3) {
            0 => x.to_owned(),
            1 => format!("'{}'", self.random.pick(TEXTS)),
            _ => self.random.pick(&["a", "b", "2460000.5", "1704164645"]).to_owned(),
        };
        let modifiers = self.random.pick(&["", "", ", 'unixepoch'", ", 'subsec'", ", 'unixepoch', 'subsec'"]);
        match self.random.below(5) {
            0 => {
                let format = self.random.pick(&[
                    "%Y-%m-%dT%H:%M:%SZ",
                    "%j %w %u %W",
                    "%f|%s",
                    "%e %k %l %I %p %P",
                    "%F %T %R %%",
                ]);
                format!("strftime('{format}', {arg}{modifiers})")
            }
            1 => format!("unixepoch({arg}{modifiers})"),
            2 => format!("date({arg}{modifiers})"),
            3 => format!("time({arg}{modifiers})"),
            _ => format!("datetime({arg}{modifiers})"),
        }
    }

    fn value(&mut self) -> Value {
        match self.random.below(10) {
            0 => Value::Null,
            1..=3 => {
                let integers =
                    [0, 1, -1, 2, 5, 64, -64, 100, i64::MAX, i64::MIN, 9_007_199_254_740_993, 1_704_164_645, 2_460_000];
                Value::Integer(integers[self.random.below(integers.len())])
            }
            4 | 5 => {
                let reals = [
                    0.0,
                    1.0,
                    1.5,
                    -2.5,
                    1e21,
                    1e-7,
                    1e300,
                    0.1,
                    9_007_199_254_740_992.0,
                    1e18,
                    9.3e18,
                    f64::INFINITY,
                    2.675,
                    -0.5,
                    123_456_789.125,
                    2_460_310.75,
                    1e15,
                    1e16,
                    1.25e17,
                    5e-324,
                    0.3,
                ];
                Value::Real(reals[self.random.below(reals.len())])
            }
            6..=8 if self.wide && self.random.below(2) == 0 => Value::text(self.random.pick(WIDE)),
            6..=8 => Value::text(self.random.pick(TEXTS)),
            _ => Value::Blob([&b""[..], b"1", b"abc", b"-5x"][self.random.below(4)].to_vec()),
        }
    }

    fn row(&mut self) -> Vec<Value> {
        let mut row = vec![self.value(), self.value(), self.value()];
        row.push(if self.random.below(8) == 0 { Value::Null } else { Value::text(self.random.pick(JSON)) });
        row
    }
}

fn same(ours: &Value, theirs: &SqlValue) -> bool {
    match (ours, theirs) {
        (Value::Null, SqlValue::Null) => true,
        (Value::Integer(a), SqlValue::Integer(b)) => a == b,
        (Value::Real(a), SqlValue::Real(b)) => a == b,
        (Value::Text(a), SqlValue::Text(b)) => a == b,
        (Value::Blob(a), SqlValue::Blob(b)) => a == b,
        _ => false,
    }
}

fn to_sql(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(*value),
        Value::Real(value) => SqlValue::Real(*value),
        Value::Text(text) => SqlValue::Text(text.clone()),
        Value::Blob(bytes) => SqlValue::Blob(bytes.clone()),
    }
}

/// The compiled expression, or why there is none.
fn lowered(expression: &str) -> Result<Expr<Slot>, String> {
    let yaml = format!(
        "config: {{edition: 3}}\nstreams:\n  s:\n    query: |-\n      SELECT a AS id, ({expression}) AS e FROM t\n"
    );
    let compiled = compile(&yaml, &CompileOptions::default());
    let plan = compiled.plan.ok_or_else(|| format!("{:?}", compiled.diagnostics))?;
    let Some(Output::Column { expr, .. }) = plan.evaluators[0].outputs.get(1) else { panic!("no column e") };
    expr.replace(&mut |leaf| match leaf {
        RowRef::Column(name) => Ok(Expr::Ref(Slot(COLUMNS.iter().position(|column| column == name).unwrap()))),
        other => Err(format!("{other:?}")),
    })
}

#[test]
fn expressions_have_sqlites_values() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (wanted, first) = (number("SYNC_CONFIG_EXPRESSIONS", 4_000), number("SYNC_CONFIG_SEED", 1));
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE t(a, b, c, j)").unwrap();
    let (mut compared, mut malformed_cases, mut raised, mut refused) = (0u64, 0u64, 0u64, 0u64);
    let mut failures: Vec<String> = Vec::new();
    for seed in first..first + wanted {
        let mut random = Random(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let wide = random.below(4) == 0;
        let mut generator = Generator { random: &mut random, wide };
        let depth = 1 + generator.random.below(3);
        let expression = generator.expr(depth);
        let expr = match lowered(&expression.replace("[[j]]", "(j)")) {
            Ok(expr) => expr,
            Err(error) => {
                // Only where a result may or may not count as JSON.
                assert!(error.contains("may be JSON") || error.contains("deterministic"), "{expression}: {error}");
                refused += 1;
                continue;
            }
        };
        let sql = expression.replace("[[j]]", "(SELECT value FROM json_each(j))");
        let mut statement = connection.prepare(&format!("SELECT {sql} FROM t")).unwrap();
        for _ in 0..8 {
            let row = generator.row();
            connection.execute("DELETE FROM t", []).unwrap();
            let values = rusqlite::params_from_iter(row.iter().map(to_sql));
            connection.execute("INSERT INTO t VALUES (?,?,?,?)", values).unwrap();
            let theirs: rusqlite::Result<SqlValue> = statement.query_row([], |row| row.get(0));
            let malformed = Cell::new(0);
            let frame = Frame { row: &row, extra: &[], malformed: &malformed };
            let ours = expr.eval(&frame);
            if malformed.get() > 0 {
                malformed_cases += 1;
                continue;
            }
            compared += 1;
            let equal = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => same(ours, theirs),
                (Err(_), Err(_)) => {
                    raised += 1;
                    true
                }
                // The other operand already decided, so this one was not evaluated here.
                (Ok(_), Err(_)) => {
                    [" AND ", " OR ", "CASE", "iif", " IN "].iter().any(|word| expression.contains(word))
                }
                _ => false,
            };
            // SQLite's arithmetic of positions overflows.
            let overflows = expression.contains("substr")
                && row.iter().any(|v| match v {
                    Value::Integer(value) => *value == i64::MIN,
                    Value::Real(value) => value.abs() > 9e18,
                    _ => false,
                });
            if !equal && !overflows {
                failures
                    .push(format!("seed {seed}: {expression}\n  row {row:?}\n  ours {ours:?}\n  SQLite {theirs:?}"));
                break;
            }
        }
    }
    println!("{compared} values compared, {raised} errors in both, {malformed_cases} not JSON, {refused} refused");
    failures.sort_by_key(String::len);
    let shown: Vec<_> = failures.iter().take(25).cloned().collect();
    assert!(failures.is_empty(), "{} differ\n{}", failures.len(), shown.join("\n"));
    assert!(compared > wanted * 5);
}
