//! Virtual tables: what reaches them, in which order, and what does not.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sqlite_nostd::{Connection, Definition, EponymousTable, FunctionError, ResultCode, Value};

use crate::host::Host;

/// What happened to a table.
#[derive(Default)]
struct Log {
    events: RefCell<Vec<String>>,
    /// The code with which `begin` or `sync` fails.
    fail: Cell<Option<(&'static str, i32)>>,
}

impl Log {
    fn add(&self, event: impl Into<String>) {
        self.events.borrow_mut().push(event.into());
    }

    fn take(&self) -> String {
        self.events.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
    }

    fn outcome(&self, event: &'static str) -> Result<(), FunctionError> {
        self.add(event);
        match self.fail.get() {
            Some((failing, code)) if failing == event => {
                Err(FunctionError { code: ResultCode(code), message: format!("no {event}") })
            }
            _ => Ok(()),
        }
    }
}

struct Recorder(Rc<Log>);

impl EponymousTable for Recorder {
    type State = Log;

    fn definition(_: &Log) -> &'static Definition {
        &Definition {
            declaration: "CREATE TABLE x(sql, other, hidden_one HIDDEN)",
            innocuous: true,
            select_is_allowed: false,
        }
    }

    fn connect(_: Connection<'_>, log: &Rc<Log>) -> Result<Self, FunctionError> {
        log.outcome("connect")?;
        Ok(Self(Rc::clone(log)))
    }

    /// Runs the first column as SQL.
    fn insert(&self, connection: Connection<'_>, columns: &[&Value]) -> Result<(), FunctionError> {
        let texts: Result<Vec<_>, _> = columns.iter().map(|value| value.text()).collect();
        let texts = texts?;
        self.0.add(format!("insert({})", texts.join(",")));
        connection.execute_batch(texts[0])?;
        self.0.add("inserted");
        Ok(())
    }

    fn begin(&self) -> Result<(), FunctionError> {
        self.0.outcome("begin")
    }

    fn sync(&self, _: Connection<'_>) -> Result<(), FunctionError> {
        self.0.outcome("sync")
    }

    fn commit(&self) {
        self.0.add("commit");
    }

    fn rollback(&self) {
        self.0.add("rollback");
    }

    fn savepoint(&self, number: i32) {
        self.0.add(format!("savepoint{number}"));
    }

    fn release(&self, number: i32) {
        self.0.add(format!("release{number}"));
    }

    fn rollback_to(&self, number: i32) {
        self.0.add(format!("rollback_to{number}"));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

struct Empty;

impl EponymousTable for Empty {
    type State = ();

    fn definition((): &()) -> &'static Definition {
        &Definition { declaration: "CREATE TABLE x(a, b)", innocuous: false, select_is_allowed: true }
    }

    fn connect(_: Connection<'_>, _: &Rc<()>) -> Result<Self, FunctionError> {
        Ok(Self)
    }

    fn insert(&self, _: Connection<'_>, _: &[&Value]) -> Result<(), FunctionError> {
        Ok(())
    }
}

fn recorder() -> (Host, Rc<Log>) {
    let host = Host::open();
    let log = Rc::<Log>::default();
    host.connection().create_module::<Recorder>("recorder", Rc::clone(&log)).unwrap();
    (host, log)
}

#[test]
fn a_transaction_is_followed() {
    let (host, log) = recorder();
    host.execute("INSERT INTO recorder(sql, other, hidden_one) VALUES ('', 1, x'41')");
    assert_eq!(log.take(), "connect begin insert(,1,A) inserted sync commit");
    host.execute("BEGIN; INSERT INTO recorder(sql) VALUES (''); ROLLBACK");
    assert_eq!(log.take(), "begin insert(,,) inserted rollback");
    host.execute("BEGIN; INSERT INTO recorder(sql) VALUES (''), ('')");
    assert_eq!(log.take(), "begin savepoint0 insert(,,) inserted insert(,,) inserted release0");
    host.execute("SAVEPOINT a; SAVEPOINT b; INSERT INTO recorder(sql) VALUES ('')");
    assert_eq!(log.take(), "savepoint0 savepoint1 insert(,,) inserted");
    host.execute("ROLLBACK TO b; ROLLBACK TO a; RELEASE a; COMMIT");
    assert_eq!(log.take(), "rollback_to1 rollback_to0 release0 sync commit");
    host.close();
    assert_eq!(log.take(), "dropped");
}

#[test]
fn a_rollback_from_within_an_insert_is_heard() {
    let (host, log) = recorder();
    host.execute("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)");
    host.execute("INSERT INTO recorder(sql) VALUES ('ROLLBACK')");
    assert_eq!(log.take(), "connect begin insert(ROLLBACK,,) rollback inserted");
    assert_eq!(host.text("SELECT count(*) FROM t"), "0");
    host.execute("INSERT INTO recorder(sql) VALUES ('INSERT INTO t VALUES (2)')");
    assert_eq!(log.take(), "begin insert(INSERT INTO t VALUES (2),,) inserted sync commit");
}

#[test]
fn tables_are_used_recursively() {
    let (host, log) = recorder();
    let nested = "INSERT INTO recorder(sql) VALUES (''); INSERT INTO recorder(sql) VALUES ('SELEKT')";
    let (code, message) = host.error(&format!("INSERT INTO recorder(sql) VALUES ('{}')", nested.replace('\'', "''")));
    assert_eq!(code, 1);
    assert!(message.contains("near \"SELEKT\": syntax error"), "{message}");
    let events = log.take();
    assert!(events.starts_with("connect begin insert("), "{events}");
    assert!(events.ends_with("insert(SELEKT,,) rollback"), "{events}");
}

#[test]
fn failures_reach_the_statement() {
    let (host, log) = recorder();
    let insert = "INSERT INTO recorder(sql) VALUES ('')";
    for code in [1, 21, 5 | (99 << 8), 3091] {
        log.fail.set(Some(("connect", code)));
        assert_eq!(host.error(insert).1, "no connect");
    }
    for code in [1, 21, 5 | (99 << 8), 3091] {
        log.fail.set(Some(("begin", code)));
        assert_eq!(host.error(insert), (code, "no begin".into()));
        log.fail.set(Some(("sync", code)));
        assert_eq!(host.error(insert), (code, "no sync".into()));
    }
    log.fail.set(None);
    log.take();
    let (code, message) = host.error("INSERT INTO recorder(sql) VALUES (CAST(x'ff' AS TEXT))");
    assert_eq!((code, message.starts_with("SQLITE_MISMATCH (20): text is not valid UTF-8")), (20, true), "{message}");
    assert_eq!(log.take(), "begin rollback");
}

#[test]
fn rows_can_only_be_inserted() {
    let (host, log) = recorder();
    for sql in [
        "SELECT * FROM recorder",
        "UPDATE recorder SET sql = ''",
        "DELETE FROM recorder",
        "DELETE FROM recorder WHERE rowid = 1",
    ] {
        assert_eq!(host.error(sql), (ResultCode::MISUSE.0, "this table can only be inserted into".into()), "{sql}");
    }
    assert!(!log.take().contains("insert"));
    assert_eq!(host.error("CREATE VIRTUAL TABLE t USING recorder").0, 1);
}

#[test]
fn a_table_may_have_no_rows_instead() {
    let host = Host::open();
    host.connection().create_module::<Empty>("empty", Rc::new(())).unwrap();
    assert_eq!(host.text("SELECT count(*) FROM empty WHERE a = 1"), "0");
    assert_eq!(host.text("SELECT group_concat(e.a || f.rowid) FROM empty AS e, empty AS f ORDER BY 1"), "NULL");
    host.execute("UPDATE empty SET a = 1; DELETE FROM empty");
    host.execute("CREATE VIEW v AS SELECT * FROM empty; PRAGMA trusted_schema = OFF");
    assert!(host.error("SELECT * FROM v").1.contains("unsafe use of virtual table"));
}

#[test]
fn triggers_of_an_untrusted_schema_may_use_an_innocuous_table() {
    let (host, log) = recorder();
    host.execute(
        "CREATE TABLE t(a); CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO recorder(sql, other) VALUES ('', new.a); END;
         PRAGMA trusted_schema = OFF; INSERT INTO t VALUES (7)",
    );
    assert!(log.take().contains("insert(,7,) inserted"));
}

#[test]
fn a_table_is_dropped_when_its_connection_closes() {
    let (host, log) = recorder();
    let weak = Rc::downgrade(&log);
    host.execute("BEGIN; INSERT INTO recorder(sql) VALUES ('')");
    log.take();
    drop(host);
    assert_eq!(log.take(), "rollback dropped");
    drop(log);
    assert!(weak.upgrade().is_none());
}
