//! The main property: a user gets exactly the rows that the query gives in SQLite with the user's values in it.
//!
//! `SYNC_CONFIG_CASES` sets the number of cases, `SYNC_CONFIG_SEED` where to begin.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use sync_config::{CompileOptions, Limits, Plan, Request, Subscription, Value, compile, evaluate_request};

use super::queries::{COLUMNS, Generator, Mode, Query, TABLES, User};
use super::random::Random;
use super::support::Store;

/// Rows of all tables.
type Database = Vec<(&'static str, Vec<Vec<Value>>)>;

const CTE1: &str = "SELECT id AS k FROM b WHERE x = {auth:sub}";
const CTE: &str = "SELECT y AS k, x AS v FROM c WHERE z = {auth:sub} OR z = 1";

fn scalar(random: &mut Random) -> Value {
    match random.below(11) {
        0 => Value::Null,
        1 | 2 => Value::Integer(1),
        3 => Value::Integer(2),
        4 => Value::Real(1.0),
        5 => Value::Real(1.5),
        6 | 7 => Value::text("u1"),
        8 => Value::text("u2"),
        9 => Value::text("1"),
        _ => Value::text("2"),
    }
}

fn array(random: &mut Random) -> Value {
    let texts = ["[]", "[\"u1\"]", "[1,\"u2\"]", "[\"u1\",\"u1\",null]", "[1.0,2]", "{\"k\":\"u1\"}", "[[1],\"1\"]"];
    if random.chance(15) { Value::Null } else { Value::text(random.pick(&texts)) }
}

fn database(random: &mut Random) -> Database {
    let mut next = 0;
    let mut table = |name, random: &mut Random| {
        let rows = (0..1 + random.below(4))
            .map(|_| {
                next += 1;
                // Ids are distinct, and partly values that other columns have.
                let id = match next {
                    1 => Value::text("u1"),
                    2 => Value::Integer(1),
                    3 => Value::Integer(2),
                    _ => Value::text(format!("r{next}")),
                };
                vec![id, scalar(random), scalar(random), scalar(random), array(random)]
            })
            .collect();
        (name, rows)
    };
    TABLES.iter().map(|name| table(*name, random)).collect()
}

fn user(random: &mut Random, number: usize) -> User {
    let scalars: &[(&str, &str)] = &[
        ("null", "NULL"),
        ("1", "1"),
        ("2", "2"),
        ("1.0", "1.0"),
        ("true", "1"),
        ("\"u1\"", "'u1'"),
        ("\"u2\"", "'u2'"),
        ("\"1\"", "'1'"),
    ];
    let arrays = ["[]", "[\"u1\",1]", "[2,2,\"r5\"]", "[\"u2\",null,1.5]", "{\"a\":1}"];
    let mut values = Vec::new();
    let mut part = |name: &str, random: &mut Random, extra: String| {
        let (json, sql) = scalars[random.below(scalars.len())];
        let ids = random.pick(&arrays);
        values.push((format!("{name}:p"), sql.to_owned()));
        let missing = random.chance(20);
        values.push((format!("{name}:ids"), if missing { "NULL".to_owned() } else { format!("'{ids}'") }));
        let ids = if missing { String::new() } else { format!(",\"ids\":{ids}") };
        format!("{{\"p\":{json}{ids}{extra}}}")
    };
    let sub = ["u1", "u2", "1"][number % 3];
    let admin = random.below(2);
    let claims = part("auth", random, format!(",\"sub\":\"{sub}\",\"admin\":{admin}"));
    let subscription = part("subscription", random, String::new());
    let connection = part("connection", random, String::new());
    values.push(("auth:sub".to_owned(), format!("'{sub}'")));
    values.push(("auth:admin".to_owned(), admin.to_string()));
    User { claims, subscription, connection, values }
}

fn cte(text: &str, mode: Mode<'_>) -> String {
    match mode {
        Mode::Sync => text.replace("{auth:sub}", "auth.user_id()"),
        Mode::Sqlite(user) => text.replace("{auth:sub}", user.sql("auth:sub")),
    }
}

fn config(query: &Query) -> String {
    format!(
        "config:\n  edition: 3\nwith:\n  cte: {}\n  cte1: {}\nstreams:\n  s:\n    query: >-\n      {}\n",
        cte(CTE, Mode::Sync),
        cte(CTE1, Mode::Sync),
        query.render(Mode::Sync)
    )
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

fn load(connection: &Connection, database: &Database) {
    for (table, rows) in database {
        connection.execute_batch(&format!("DELETE FROM {table}")).unwrap();
        for row in rows {
            let values = rusqlite::params_from_iter(row.iter().map(to_sql));
            connection.execute(&format!("INSERT INTO {table} VALUES (?,?,?,?,?)"), values).unwrap();
        }
    }
}

/// Ids that SQLite gives the user.
fn expected(connection: &Connection, query: &Query, user: &User) -> Result<BTreeSet<String>, String> {
    let mode = Mode::Sqlite(user);
    let sql = format!("WITH cte AS ({}), cte1 AS ({}) {}", cte(CTE, mode), cte(CTE1, mode), query.render(mode));
    let mut statement = connection.prepare(&sql).map_err(|error| error.to_string())?;
    let mut rows = statement.query([]).map_err(|error| error.to_string())?;
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next().map_err(|error| error.to_string())? {
        ids.insert(match row.get::<_, SqlValue>(0).unwrap() {
            SqlValue::Integer(id) => id.to_string(),
            SqlValue::Text(id) => id,
            other => format!("{other:?}"),
        });
    }
    Ok(ids)
}

fn stored(plan: &Plan, database: &Database) -> Store {
    let columns: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
    let mut store = Store::default();
    for (table, rows) in database {
        store.add(plan, table, &columns, rows);
    }
    store
}

/// Ids in the buckets that the plan gives the user.
fn actual(plan: &Plan, store: &Store, user: &User) -> Result<BTreeSet<String>, String> {
    let subscriptions = [Subscription { stream: "s", parameters: Some(&user.subscription), priority: None }];
    let request = Request {
        claims: &user.claims,
        parameters: &user.connection,
        include_defaults: true,
        subscriptions: &subscriptions,
    };
    let result = evaluate_request(plan, &request, store, &Limits::default());
    if let Some(error) = result.errors.first() {
        return Err(error.message.clone());
    }
    let mut ids = BTreeSet::new();
    for bucket in result.buckets {
        let rows = store.buckets.get(&(bucket.bucket.definition, bucket.bucket.key)).into_iter().flatten();
        ids.extend(rows.map(|(_, id, _)| id.clone()));
    }
    Ok(ids)
}

/// What is wrong with a case, or that the query is not supported.
enum Outcome {
    /// With how many ids for all users.
    Right(usize),
    NotSupported,
    /// SQLite raises an error, for instance for what is not JSON.
    SqliteError,
    Wrong(String),
}

fn check(connection: &Connection, database: &Database, query: &Query, users: &[User], push_down: bool) -> Outcome {
    let yaml = config(query);
    let compiled = compile(&yaml, &CompileOptions { push_down, ..CompileOptions::default() });
    let Some(plan) = compiled.plan else { return Outcome::NotSupported };
    let store = stored(&plan, database);
    if store.problems > 0 {
        return Outcome::Wrong("rows with problems".to_owned());
    }
    let mut visible = 0;
    for user in users {
        let Ok(expected) = expected(connection, query, user) else { return Outcome::SqliteError };
        visible += expected.len();
        let actual = actual(&plan, &store, user);
        if actual.as_ref() != Ok(&expected) {
            return Outcome::Wrong(format!(
                "expected {expected:?}\nactual   {actual:?}\nuser     {user:?}\nplan\n{}",
                plan.describe(&plan.streams[0])
            ));
        }
    }
    Outcome::Right(visible)
}

/// Makes a failing case as small as possible and prints it.
fn fail(connection: &Connection, database: Database, query: Query, users: &[User], push_down: bool, seed: u64) -> ! {
    let (mut database, mut query) = (database, query);
    let mut why = String::new();
    let wrong = |database: &Database, query: &Query| {
        load(connection, database);
        match check(connection, database, query, users, push_down) {
            Outcome::Wrong(why) => Some(why),
            _ => None,
        }
    };
    loop {
        let smaller = query.smaller().into_iter().find_map(|query| wrong(&database, &query).map(|why| (query, why)));
        if let Some((smaller, reason)) = smaller {
            (query, why) = (smaller, reason);
            continue;
        }
        let fewer = (0..database.len()).flat_map(|table| (0..database[table].1.len()).map(move |row| (table, row)));
        let fewer = fewer.map(|(table, row)| {
            let mut less = database.clone();
            less[table].1.remove(row);
            less
        });
        let fewer: Vec<Database> = fewer.collect();
        match fewer.into_iter().find(|less| wrong(less, &query).is_some()) {
            Some(less) => database = less,
            None => break,
        }
    }
    why = wrong(&database, &query).unwrap_or(why);
    panic!(
        "seed {seed}, push-down {push_down}\n{}\nSQLite: {}\n{database:?}\n{why}",
        config(&query),
        query.render(Mode::Sqlite(&users[0]))
    );
}

/// One of four parts, which run at the same time.
fn part(number_of_part: u64) {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let wanted = number("SYNC_CONFIG_CASES", 20_000).div_ceil(4);
    let first = number("SYNC_CONFIG_SEED", 1) + number_of_part * 1_000_000;
    let connection = Connection::open_in_memory().unwrap();
    for table in TABLES {
        connection.execute_batch(&format!("CREATE TABLE {table}({})", COLUMNS.join(","))).unwrap();
    }
    let (mut right, mut visible, mut unsupported, mut refused, mut seed) = (0, 0, 0, 0, first);
    while right < wanted {
        let mut random = Random::new(seed);
        let database = database(&mut random);
        load(&connection, &database);
        let users: Vec<User> = (0..3).map(|number| user(&mut random, number)).collect();
        for _ in 0..20 {
            let query = Generator::new(&mut random).stream();
            let push_down = random.chance(75);
            match check(&connection, &database, &query, &users, push_down) {
                Outcome::Right(ids) => {
                    right += 1;
                    visible += u64::from(ids > 0);
                }
                Outcome::NotSupported => unsupported += 1,
                Outcome::SqliteError => refused += 1,
                Outcome::Wrong(_) => fail(&connection, database, query, &users, push_down, seed),
            }
        }
        seed += 1;
    }
    println!("{right} cases with 3 users each, {visible} with rows; {unsupported} not supported, {refused} not SQLite");
    assert!(right > unsupported, "most random queries must be supported");
    assert!(visible > right / 4, "many cases must have visible rows");
    assert!(refused < right / 50, "SQLite must understand nearly all");
}

#[test]
fn users_get_what_sqlite_gives_them_1() {
    part(0);
}

#[test]
fn users_get_what_sqlite_gives_them_2() {
    part(1);
}

#[test]
fn users_get_what_sqlite_gives_them_3() {
    part(2);
}

#[test]
fn users_get_what_sqlite_gives_them_4() {
    part(3);
}
