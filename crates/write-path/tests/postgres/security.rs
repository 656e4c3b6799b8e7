//! Roles, policies of the database, and what the user of a transaction is called there.

use serde_json::json;
use sync_config::Severity;
use write_path::postgres::PostgresPersister;
use write_path::{Rules, WriteUser};

use crate::support::{Tested, delete, outcome, patch, put};

const REFUSED: &str = "fatal_error UNAUTHORIZED";

/// Notes with policies, a role for users, and a role for the service. Roles are common to all databases of the server.
fn tables(name: &str) -> String {
    format!(
        "CREATE ROLE {name}_user; CREATE ROLE {name}_service LOGIN PASSWORD 'p' IN ROLE {name}_user NOINHERIT;
        CREATE TABLE notes(id text PRIMARY KEY, owner text DEFAULT current_setting('app.user_id'), org text, body text,
            CHECK (body <> 'bad'));
        CREATE TABLE plain(id text PRIMARY KEY, body text);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON notes TO {name}_user USING (owner = current_setting('app.user_id')
                OR org = (current_setting('request.jwt.claims')::jsonb ->> 'org'))
            WITH CHECK (owner = current_setting('app.user_id'));
        INSERT INTO notes VALUES ('a', 'alice', 'o', 'hers'), ('b', 'bob', 'p', 'his secret'), ('c', 'carol', 'q', 'team');
        GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO {name}_user; GRANT SELECT ON plain TO {name}_user;
        CREATE SCHEMA rowtide_writes AUTHORIZATION {name}_service"
    )
}

fn rules(role: &str, tables: &str) -> String {
    format!("writes:\n  role: {role}\n  tables: {tables}\n")
}

/// A database, and a write path as the role of the service.
fn secured(name: &str) -> Tested {
    let mut tested = Tested::with(&tables(name), "writes: {tables: {}}");
    tested.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA rowtide_writes TO {name}_service")).unwrap();
    let url = tested.database.url_as(&format!("{name}_service"), "p");
    tested.path = crate::support::write_path(&url, &rules(&format!("{name}_user"), "{notes: {}}"), &Default::default());
    tested
}

fn drop_roles(tested: &Tested, name: &str) {
    tested
        .execute(&format!("DROP OWNED BY {name}_user, {name}_service CASCADE; DROP ROLE {name}_user, {name}_service"))
        .unwrap();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn policies_apply_to_the_role_of_the_rules() {
    let tested = secured("one");
    let user = WriteUser { id: "alice".into(), claims: json!({"sub": "alice", "org": "q"}).to_string() };
    let send = |operation: serde_json::Value| {
        let body = json!({"client_id": "c", "queue": "q", "transactions": [{"transaction_id": operation.to_string(), "crud": [operation]}]});
        tested.upload_as(&user, &body).remove(0)
    };
    assert_eq!(outcome(&send(put("notes", "n", json!({"body": "new"})))), "success");
    assert_eq!(outcome(&send(patch("notes", "a", json!({"body": "changed"})))), "success");
    let stolen = send(put("notes", "m", json!({"owner": "bob", "body": "x"})));
    assert_eq!(outcome(&stolen), REFUSED, "{stolen}");
    assert!(!stolen.to_string().contains("secret"));
    // A row of others cannot be seen, so it is as if it were not there.
    assert_eq!(outcome(&send(patch("notes", "b", json!({"body": "x"})))), "success");
    assert_eq!(outcome(&send(delete("notes", "b"))), "success");
    // A PUT finds out that it is there.
    assert_eq!(outcome(&send(put("notes", "b", json!({"body": "x"})))), REFUSED);
    // By the claim `org` the row can be seen, and it must be her own afterwards.
    assert_eq!(outcome(&send(patch("notes", "c", json!({"body": "x"})))), REFUSED);
    assert_eq!(outcome(&send(patch("notes", "c", json!({"body": "x", "owner": "alice"})))), "success");
    assert_eq!(outcome(&send(delete("notes", "a"))), "success");
    assert_eq!(
        tested.values("id, owner, body", "notes ORDER BY id"),
        [json!(["b", "bob", "his secret"]), json!(["c", "alice", "x"]), json!(["n", "alice", "new"])]
    );
    // Results and letters are stored as the service, which the role may not even look at.
    assert_eq!((tested.letters(), tested.number("SELECT count(*) FROM rowtide_writes.result")), (3, 9));
    // Nothing of the user is left in the connection.
    assert_eq!(
        outcome(
            &tested.upload("bob", &json!({"transactions": [{"crud": [patch("notes", "n", json!({"body": "his"}))]}]}))
                [0]
        ),
        "success"
    );
    assert_eq!(tested.rows("SELECT body FROM notes WHERE id = 'n'"), ["new"]);
    drop_roles(&tested, "one");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_replay_has_the_claims_that_policies_need() {
    let tested = secured("two");
    let user = WriteUser { id: "alice".into(), claims: json!({"sub": "alice", "org": "q"}).to_string() };
    let body = json!({"transactions": [{"crud": [patch("notes", "c", json!({"body": "bad", "owner": "alice"}))]}]});
    assert_eq!(outcome(&tested.upload_as(&user, &body)[0]), "fatal_error CHECK_VIOLATION");
    tested.execute("ALTER TABLE notes DROP CONSTRAINT notes_body_check").unwrap();
    let result = serde_json::to_value(tested.path.replay(1, crate::support::NOW).unwrap()).unwrap();
    assert_eq!(outcome(&result), "success");
    assert_eq!(tested.values("owner, body", "notes WHERE id = 'c'"), [json!(["alice", "bad"])]);
    drop_roles(&tested, "two");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_the_role_may_not_do_is_found_when_the_rules_are_loaded() {
    let tested = secured("three");
    let persister =
        PostgresPersister::open(&tested.database.url_as("three_service", "p"), &Default::default()).unwrap();
    let errors = |rules: &str| -> Vec<String> {
        let found = Rules::load(rules, &persister).unwrap().diagnostics;
        found.into_iter().map(|one| format!("{:?} {}", one.severity, one.message)).collect()
    };
    assert_eq!(errors(&rules("three_user", "{notes: {}}")), [""; 0], "policies are as good as a check");
    let plain = errors(&rules("three_user", "{plain: {check: 'TRUE'}}"));
    assert!(plain.len() == 1 && plain[0].contains("permission denied for table plain"), "{plain:?}");
    // Without the role there are no policies: the service is another role.
    let none = Rules::load("writes: {tables: {notes: {}}}", &persister).unwrap().diagnostics;
    assert!(none.iter().any(|one| one.code.id() == "C117" && one.severity == Severity::Warning), "{none:?}");
    // Policies do not apply to owners.
    tested.execute("ALTER TABLE notes OWNER TO three_user").unwrap();
    let owner = errors(&rules("three_user", "{notes: {}}"));
    assert!(owner.len() == 1 && owner[0].contains("policies do not apply"), "{owner:?}");
    drop_roles(&tested, "three");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_service_that_may_not_create_its_tables_says_what_to_do() {
    let tested = Tested::with(
        "CREATE ROLE four LOGIN PASSWORD 'p'; DROP SCHEMA IF EXISTS rowtide_writes CASCADE",
        "writes: {tables: {}}",
    );
    tested.execute("DROP SCHEMA rowtide_writes CASCADE").unwrap();
    let error = PostgresPersister::open(&tested.database.url_as("four", "p"), &Default::default()).unwrap_err();
    assert!(error.0.contains("permission denied") && error.0.contains("rowtide_writes"), "{error}");
    // As the documents say.
    tested
        .execute(&format!(
            "{}; GRANT USAGE ON SCHEMA rowtide_writes TO four;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rowtide_writes TO four",
            sql_of_the_page()
        ))
        .unwrap();
    tested.execute("CREATE TABLE t(id text PRIMARY KEY); GRANT ALL ON t TO four").unwrap();
    let path = crate::support::write_path(
        &tested.database.url_as("four", "p"),
        "writes: {tables: {t: {check: 'TRUE'}}}",
        &Default::default(),
    );
    let body = json!({"client_id": "c", "queue": "q", "transactions": [{"transaction_id": 1, "crud": [put("t", "1", json!({}))]},
        {"transaction_id": 2, "crud": [put("u", "1", json!({}))]}]});
    let results = crate::support::results(&path, &crate::support::user_of("u"), &body);
    let outcomes: Vec<String> = results.iter().map(outcome).collect();
    assert_eq!(outcomes, ["success", REFUSED]);
    drop(path);
    tested.execute("DROP OWNED BY four; DROP ROLE four").unwrap();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn errors_of_addresses_have_no_secrets() {
    for url in ["postgres://u:secret@127.0.0.1:1/db", "postgres://u:secret@host/db?x=1", "sqlite:secret"] {
        let error = PostgresPersister::open(url, &Default::default()).unwrap_err();
        assert!(!error.0.contains("secret"), "{error}");
    }
}
/// The first SQL of the page about writes that creates the schema.
fn sql_of_the_page() -> String {
    let page = include_str!("../../../../docs/service/writes.md");
    let start = page.find("CREATE SCHEMA IF NOT EXISTS rowtide_writes").unwrap();
    let rest = &page[start..];
    rest[..rest.find("```").unwrap()].trim_end().trim_end_matches(';').to_owned()
}
