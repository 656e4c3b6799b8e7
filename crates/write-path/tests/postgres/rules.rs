//! What rules permit, and what PostgreSQL makes of their expressions.

use serde_json::{Value, json};
use sync_config::Severity;
use write_path::postgres::PostgresPersister;
use write_path::{Rules, WriteUser};

use crate::support::{RULES, Tested, delete, outcome, patch, put};

const REFUSED: &str = "fatal_error UNAUTHORIZED";

/// One row of each of two tables with columns of several types.
const TABLES: &str = "CREATE TABLE r(id text PRIMARY KEY, x integer, big bigint, n numeric, f double precision, b boolean,
        u uuid, t timestamptz, members text, j jsonb, js json, a text[], ids uuid[], s varchar(20), owner uuid);
    CREATE TABLE m(id text, u text, r text, x integer, who uuid, data jsonb, ok boolean);
    INSERT INTO m VALUES ('1', 'alice', 'one', 5, '00000000-0000-4000-8000-000000000001', '{\"level\": 3, \"on\": true}', true),
        ('2', 'bob', 'two', 6, '00000000-0000-4000-8000-000000000002', '{}', false);";

const UUID: &str = "00000000-0000-4000-8000-000000000001";

fn claims() -> Value {
    json!({"sub": "alice", "admin": true, "banned": false, "orgs": ["o", "p"], "a": {"b": 5}, "a.b": 6, "level": "4",
        "uid": UUID, "uids": [UUID], "numbers": [4, 5], "word": "yes", "empty": []})
}

fn row() -> Value {
    put(
        "r",
        "one",
        json!({"x": 5, "big": 5_000_000_000_i64, "n": "1.5", "f": 0.5, "b": 1, "u": UUID, "t": "2024-02-03T04:05:06Z",
        "members": "[\"alice\",\"carol\"]", "j": {"k": {"l": [1, "two"]}, "on": true, "n": 7, "text": "x"}, "js": "{\"k\": 1}",
        "a": ["alice", "dave"], "ids": [UUID], "s": "Straße"}),
    )
}

struct Checked(Tested);

impl Checked {
    fn new() -> Self {
        Self(Tested::with(TABLES, "writes: {tables: {}}"))
    }

    /// Whether the row is permitted by a check, both when it is new and when it is there.
    fn permits(&self, check: &str) -> bool {
        let user = WriteUser { id: "alice".into(), claims: claims().to_string() };
        let rules = serde_json::to_string(&json!({"writes": {"tables": {"r": {"check": check}}}})).unwrap();
        let findings = self.0.path.reload(&rules).unwrap();
        assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{check}: {findings:?}");
        self.0.execute("DELETE FROM r").unwrap();
        let mut permitted = Vec::new();
        for _ in 0..2 {
            let results = self.0.upload_as(&user, &json!({"transactions": [{"crud": [row()]}]}));
            permitted.push(match outcome(&results[0]).as_str() {
                "success" => true,
                // A value cannot be read as what it is compared with.
                REFUSED | "fatal_error INVALID_DATA" => false,
                other => panic!("{check}: {other}: {}", results[0]),
            });
        }
        assert_eq!(permitted[0], permitted[1], "{check}");
        permitted[0]
    }
}

/// Checks that are true for the row.
const PERMITTED: &[&str] = &[
    "x = 5",
    "r.x = 5 AND NOT (x = 6)",
    "x BETWEEN 5 AND 5 AND x IS NOT NULL AND (x = 5) IS TRUE",
    "x BETWEEN 4.5 AND 5.5 AND x > 4.9 AND x < 5.1",
    "x IN (4, 5) AND x NOT IN (1, 2)",
    "x = ANY(auth.parameter('$.numbers')) AND x::text = '5'",
    "auth.parameter('admin')",
    "auth.parameter('admin') = 1 AND auth.parameter('admin') = TRUE AND NOT auth.parameter('banned')",
    "auth.parameter('$.a.b') = x AND auth.parameter('a.b') = 6",
    "auth.parameter('level') >= 3 AND auth.parameter('level') = 4",
    "auth.parameters() ->> 'sub' = auth.user_id() AND request.user_id() = 'alice'",
    "auth.parameters() -> 'a' ->> 'b' = x AND request.jwt() ->> '$.orgs[0]' = 'o'",
    "'o' IN auth.parameter('orgs') AND 'q' NOT IN auth.parameter('orgs')",
    "auth.user_id() IN members",
    "auth.user_id() IN a AND 'bob' NOT IN a",
    "u IN auth.parameter('uids') AND u = auth.parameter('uid') AND auth.parameter('uid') IN ids",
    "x IN auth.parameter('numbers')",
    "EXISTS (SELECT * FROM m WHERE m.r = r.id AND m.u = auth.user_id())",
    "NOT EXISTS (SELECT 1 FROM m WHERE m.r = r.id AND m.u = 'bob')",
    "EXISTS (SELECT * FROM m WHERE m.who = r.u AND ok)",
    "EXISTS (SELECT * FROM m WHERE m.who = auth.parameter('uid') AND data ->> 'level' = 3 AND data ->> 'level' > 2)",
    "EXISTS (SELECT * FROM m WHERE m.u = auth.user_id() AND data ->> 'on' AND data ->> '$.on' = TRUE)",
    "id = (SELECT r FROM m WHERE u = auth.user_id())",
    "u IN (SELECT who FROM m WHERE u = auth.user_id())",
    "'00000000-0000-4000-8000-000000000001' IN (SELECT who FROM m)",
    "(id, x) IN (SELECT r, x FROM m WHERE u = auth.user_id())",
    "id NOT IN (SELECT r FROM m WHERE u = 'bob')",
    "id IN (SELECT a.r FROM m a JOIN m b ON a.r = b.r WHERE b.u = auth.user_id())",
    "id IN (SELECT a.r FROM m AS a INNER JOIN m AS b USING (id) WHERE b.u = auth.user_id())",
    "id IN (SELECT a.r FROM m a, m b WHERE b.u = auth.user_id() AND a.id = b.id)",
    "id IN (SELECT q.k FROM (SELECT r, u FROM m) AS q(k, who) WHERE q.who = auth.user_id())",
    "id IN (SELECT m.r FROM m, json_each(r.members) e WHERE e.value = m.u AND e.key = 0 AND e.type = 'string')",
    "id IN (SELECT m.r FROM m, json_each(r.a) e WHERE e.value = m.u)",
    "'two' IN (SELECT e.value FROM json_each(j ->> '$.k.l') e)",
    "CASE x WHEN 5 THEN TRUE ELSE FALSE END",
    "CASE WHEN x = 5 THEN 'a' ELSE id END = 'a' AND CASE WHEN b THEN x ELSE 0 END = 5",
    "iif(x = 5, 1, 0) AND coalesce(NULL, x) = 5 AND length(id) = 3 AND substring(id, 1, 1) = 'o'",
    "ifnull(auth.parameter('none'), 'z') = 'z' AND nullif(x, 5) IS NULL",
    "json_array_length(members) = 2 AND members ->> 1 = 'carol' AND id LIKE 'O%'",
    "j ->> '$.k.l[1]' = 'two' AND j -> 'k' -> 'l' ->> 0 = 1 AND j ->> 'n' = 7 AND j ->> 'n' + 1 = 8 AND js ->> 'k' = 1",
    "json_extract(j, '$.n') = 7 AND j ->> 'none' IS NULL AND j ->> 'on' AND NOT j ->> 'text'",
    "-x = -5 AND +x = 5 AND x + 1 * 2 = 7 AND x % 2 = 1 AND x << 1 = 10 AND id || 'a' = 'onea' AND id || x = 'one5'",
    "big = 5000000000 AND big > x AND n = 1.5 AND f = 0.5 AND f + x = 5.5 AND n * 2 = 3 AND x / 2 = 2",
    "b AND b = 1 AND b = TRUE AND b IS TRUE AND NOT (b = 0) AND b IN (1, 0) AND b || '' = '1'",
    "u = '00000000-0000-4000-8000-000000000001' AND u || '' = auth.parameter('uid')",
    "t > '2024-01-01' AND t = '2024-02-03T04:05:06Z' AND t < datetime('now') AND unixepoch(t) = 1706933106",
    "date(t) = '2024-02-03' AND unixepoch('now') > 1700000000",
    "s = 'Straße' AND upper('x') = 'X' AND s LIKE 'str%' AND s NOT LIKE 's_r' AND replace(s, 'ß', 'ss') = 'Strasse'",
    "round(n) = 2 AND round(1.25, 1) = 1.3 AND abs(-x) = 5 AND instr(id, 'n') = 2 AND trim(' a ') = 'a'",
    "hex('ab') = '6162' AND base64('ab') = 'YWI=' AND CAST(1.9 AS INTEGER) = 1 AND CAST(x AS TEXT) = '5'",
    "x IS 5 AND x IS NOT 6 AND NULL IS NULL AND auth.parameter('none') IS NULL AND x IS NOT NULL",
    "1 AND 1 < 10 AND '5' = '5' AND 1 + 1 = 2",
];

/// Checks that are not.
const NOT_PERMITTED: &[&str] = &[
    "x = 6",
    // Neither true nor false.
    "x = NULL",
    "NULL",
    "x > auth.parameter('none')",
    "'q' IN auth.parameter('orgs')",
    "'q' NOT IN auth.parameter('none')",
    "x NOT IN (SELECT NULL FROM m)",
    "'o' IN auth.parameter('empty')",
    // A word is not true, whatever PostgreSQL makes of it.
    "auth.parameter('word')",
    "auth.parameter('orgs')",
    "id IN (SELECT r FROM m WHERE u = 'bob')",
    // Cannot be evaluated.
    "json_array_length(id) = 2",
    "owner = auth.user_id()",
    "u = auth.parameter('word') OR x = 5",
    "x / 0 = 1",
];

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn checks_are_expressions_of_the_sync_language() {
    let checked = Checked::new();
    for check in PERMITTED {
        assert!(checked.permits(check), "{check}");
    }
    for check in NOT_PERMITTED {
        assert!(!checked.permits(check), "{check}");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_postgres_cannot_compare_is_found_when_the_rules_are_loaded() {
    let tested = Tested::with(
        &format!("{TABLES} CREATE FUNCTION decide(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1'; CREATE TABLE plain(id text);
            CREATE TABLE partly(id text); CREATE UNIQUE INDEX ON partly(id) WHERE id <> ''; CREATE VIEW v AS SELECT * FROM r;
            CREATE TABLE late(id text UNIQUE DEFERRABLE)"),
        "writes: {tables: {}}",
    );
    for (rules, expected) in [
        ("{r: {check: 'members'}}", "C063"),
        ("{r: {check: 'x AND j'}}", "C063"),
        ("{r: {check: 'auth.user_id()'}}", "C063"),
        ("{r: {check: \"id GLOB 'a*'\"}}", "C063"),
        ("{r: {check: \"printf('%d', x) = '5'\"}}", "C063"),
        ("{r: {check: \"auth.parameter('$x')\"}}", "C063"),
        ("{r: {check: \"datetime(t, '+1 day') > 'x'\"}}", "C063"),
        ("{r: {check: 'a + 1 = 2'}}", "C060"),
        ("{plain: {check: 'TRUE'}}", "C062"),
        ("{partly: {check: 'TRUE'}}", "C062"),
        ("{late: {check: 'TRUE'}}", "C062"),
        ("{v: {check: 'TRUE'}}", "C060"),
        ("{pg_class: {check: 'TRUE'}}", "C060"),
        ("{pg_catalog.pg_class: {check: 'TRUE'}}", "C060"),
        ("{rowtide_writes.result: {check: 'TRUE'}}", "C060"),
        ("{r: {check: 'TRUE', on_conflict: {function: none}}}", "C060"),
        ("{r: {check: 'TRUE', on_conflict: {fn: decide}}}", "C003"),
    ] {
        let yaml = format!("writes: {{tables: {rules}}}");
        let found = tested.path.reload(&yaml).unwrap();
        let errors: Vec<&str> =
            found.iter().filter(|one| one.severity == Severity::Error).map(|one| one.code.id()).collect();
        assert_eq!(errors, [expected], "{rules}: {found:?}");
    }
    let fine = "writes: {tables: {r: {check: 'TRUE', on_conflict: {function: public.decide}}}}";
    assert!(tested.path.reload(fine).unwrap().is_empty());
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_the_server_sets_has_the_type_of_the_column() {
    let tested = Tested::with(
        "CREATE TABLE v(id text PRIMARY KEY, x integer, owner uuid, org text, on_ boolean, at timestamptz, tags text[], data jsonb, low text)",
        "writes: {tables: {v: {columns: [x], check: 'TRUE', set: {owner: \"auth.parameter('uid')\", org: \"auth.parameter('$.orgs[0]')\",
            on_: 'TRUE', at: \"datetime('now')\", tags: \"auth.parameter('orgs')\", data: 'auth.parameters()', low: 'lower(auth.user_id())'}}}}",
    );
    let user = WriteUser { id: "ALICE".into(), claims: claims().to_string() };
    let result =
        tested.upload_as(&user, &json!({"transactions": [{"crud": [put("v", "1", json!({"x": 1, "org": "other"}))]}]}));
    assert_eq!(outcome(&result[0]), "success", "{result:?}");
    let values = tested.values("owner, org, on_, at > now() - interval '1 hour', tags, data ->> 'sub', low", "v");
    assert_eq!(values, [json!([UUID, "o", true, true, ["o", "p"], "alice", "alice"])]);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn nobody_writes_or_moves_rows_of_others() {
    let tested = Tested::new();
    let before = tested.values("id, list_id, description, done, owner_id", "todos ORDER BY id");
    for operation in [
        put("todos", "n", json!({"list_id": "b"})),
        patch("todos", "ta", json!({"list_id": "b"})),
        patch("todos", "tb", json!({"list_id": "a"})),
        patch("todos", "tb", json!({"description": "mine"})),
        patch("todos", "tb", json!({})),
        delete("todos", "tb"),
        put("todos", "tb", json!({"list_id": "a", "description": "mine"})),
        put("lists", "b", json!({"name": "mine"})),
        put("lists", "b", json!({})),
        delete("lists", "b"),
    ] {
        let result = tested.send("alice", json!([operation]));
        assert_eq!(outcome(&result), REFUSED, "{operation}");
        assert!(!result.to_string().contains("secret"));
    }
    assert_eq!(tested.values("id, list_id, description, done, owner_id", "todos ORDER BY id"), before);
    assert_eq!(outcome(&tested.send("bob", json!([patch("todos", "tb", json!({"done": 1}))]))), "success");
    // Rows that are not there are no error.
    let gone = json!([patch("todos", "none", json!({"description": "x"})), delete("todos", "none")]);
    assert_eq!(outcome(&tested.send("alice", gone)), "success");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_row_that_is_taken_away_meanwhile_is_not_written() {
    // The row is locked by somebody who gives it to bob; the check sees what is there when the lock is free.
    let tested = Tested::with(
        "CREATE TABLE t(id text PRIMARY KEY, owner text, x int); INSERT INTO t VALUES ('1', 'alice', 1)",
        "writes: {tables: {t: {columns: [x], check: owner = auth.user_id()}}}",
    );
    for operation in [patch("t", "1", json!({"x": 2})), delete("t", "1"), put("t", "1", json!({"x": 3}))] {
        tested.execute("UPDATE t SET owner = 'alice'").unwrap();
        tested.execute("BEGIN; UPDATE t SET owner = 'bob'").unwrap();
        let mut watcher = tested.database.client();
        std::thread::scope(|scope| {
            let path = &tested.path;
            let body = json!({"transactions": [{"crud": [operation]}]});
            let upload = scope.spawn(move || crate::support::results(path, &crate::support::user_of("alice"), &body));
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            while watcher.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0 {
                assert!(!upload.is_finished(), "it does not wait: {:?}", upload.join());
            }
            tested.execute("COMMIT").unwrap();
            assert_eq!(outcome(&upload.join().unwrap()[0]), REFUSED);
        });
        assert_eq!(tested.values("owner, x", "t"), [json!(["bob", 1])]);
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn allow_opens_the_tables_of_the_default_schema() {
    let tested = Tested::with(
        "CREATE TABLE open(id TEXT PRIMARY KEY, x integer); CREATE SCHEMA auth; CREATE TABLE auth.users(id TEXT PRIMARY KEY)",
        "writes: {default: allow}",
    );
    assert_eq!(outcome(&tested.send("alice", json!([put("open", "o", json!({"x": 1}))]))), "success");
    for table in ["auth.users", "users", "rowtide_writes.dead_letter", "pg_class", "pg_catalog.pg_class"] {
        assert_eq!(outcome(&tested.send("alice", json!([put(table, "o", json!({}))]))), REFUSED, "{table}");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn rules_follow_the_tables() {
    let tested = Tested::with(
        "CREATE TABLE t(id TEXT PRIMARY KEY); CREATE TABLE other(id TEXT PRIMARY KEY)",
        "writes: {default: allow}",
    );
    let put = |table: &str, values: Value| outcome(&tested.send("u", json!([put(table, "1", values)])));
    assert_eq!(put("t", json!({"a": 1})), REFUSED);
    tested.execute("ALTER TABLE t ADD COLUMN a integer; CREATE TABLE more(id TEXT PRIMARY KEY)").unwrap();
    assert_eq!(put("t", json!({"a": 1})), "success", "a column that was added");
    assert_eq!(put("more", json!({})), "success", "a table that was added");
    tested.execute("ALTER TABLE t ALTER COLUMN a TYPE text").unwrap();
    assert_eq!(put("t", json!({"a": "x"})), "success", "a column that has another type");
    tested.execute("DROP TABLE more").unwrap();
    assert_eq!(put("other", json!({})), "success");
    assert_eq!(put("more", json!({})), REFUSED);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn rules_that_do_not_fit_any_more_keep_the_other_tables_open() {
    let tested = Tested::with(
        "CREATE TABLE t(id TEXT PRIMARY KEY); CREATE TABLE other(id TEXT PRIMARY KEY)",
        "writes: {tables: {t: {check: 'TRUE'}, other: {check: 'TRUE'}}}",
    );
    let put = |table: &str| outcome(&tested.send("u", json!([put(table, "1", json!({}))])));
    tested.execute("DROP TABLE t").unwrap();
    assert_eq!(put("t"), "fatal_error SCHEMA_MISMATCH");
    assert_eq!(put("other"), "success");
    tested.execute("CREATE TABLE t(id TEXT PRIMARY KEY, a integer)").unwrap();
    assert_eq!(put("t"), "success", "they fit again");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_function_decides_about_conflicts() {
    let tested = Tested::with(
        "CREATE TABLE notes(id text PRIMARY KEY, title text, n integer);
        CREATE FUNCTION merged(conflict jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
            IF conflict -> 'new' ->> 'title' = 'no' THEN RETURN NULL; END IF;
            IF conflict -> 'new' ->> 'title' = 'bad' THEN RETURN '{\"secret\": 1}'; END IF;
            IF conflict ->> 'op' = 'DELETE' THEN RETURN '{}'; END IF;
            RETURN jsonb_build_object('title', (conflict -> 'stored' ->> 'title') || '+' || (conflict -> 'new' ->> 'title'),
                'n', (conflict -> 'stored' ->> 'n')::int + (conflict -> 'new' ->> 'n')::int - (conflict -> 'previous' ->> 'n')::int);
        END $$;
        INSERT INTO notes VALUES ('1', 'theirs', 10)",
        "writes: {tables: {note: {table: notes, columns: {heading: title, n: n}, check: 'TRUE', on_conflict: {function: merged}}}}",
    );
    let edit = |op: &str, heading: &str| {
        json!([{"op": op, "table": "note", "id": "1", "op_data": {"heading": heading, "n": 3},
        "previous_values": {"heading": "old", "n": 1}}])
    };
    assert_eq!(tested.send("u", edit("PATCH", "mine")), json!({"status": "success"}));
    assert_eq!(tested.values("title, n", "notes"), [json!(["theirs+mine", 12])]);
    assert_eq!(outcome(&tested.send("u", edit("PUT", "no"))), "fatal_error CONFLICT");
    assert_eq!(outcome(&tested.send("u", edit("PUT", "bad"))), "fatal_error UNCLASSIFIED_ERROR");
    // Without a conflict it is not asked.
    let seen = json!([{"op": "PATCH", "table": "note", "id": "1", "op_data": {"heading": "no"}, "previous_values": {"heading": "theirs+mine"}}]);
    assert_eq!(outcome(&tested.send("u", seen)), "success");
    assert_eq!(tested.values("title, n", "notes"), [json!(["no", 12])]);
    assert_eq!(outcome(&tested.send("u", edit("DELETE", "x"))), "success");
    assert_eq!(tested.letters(), 2);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_role_is_only_for_postgres_and_must_exist() {
    let tested = Tested::new();
    let persister = PostgresPersister::open(&tested.database.url(), &Default::default()).unwrap();
    let loaded = Rules::load(&RULES.replace("  tables:", "  role: nobody_there\n  tables:"), &persister).unwrap();
    assert!(
        loaded.rules.is_none() && loaded.diagnostics[0].message.contains("nobody_there"),
        "{:?}",
        loaded.diagnostics
    );
}
