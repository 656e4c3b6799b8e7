//! Random transactions of several connections, and a follower that reads, streams, restarts, and goes back.

use fastrand::Rng;
use pg_connect::postgres::Client;
use sync_engine::source::Source;

use crate::app::App;
use crate::follower::State;

const TABLES: &str = "
    CREATE TABLE a(id int PRIMARY KEY, v text, big text);
    ALTER TABLE a ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE b(x int, y text, v text, big text, PRIMARY KEY (y, x));
    ALTER TABLE b REPLICA IDENTITY FULL;
    CREATE TABLE c(id serial, code text NOT NULL UNIQUE, v text, big text);
    ALTER TABLE c REPLICA IDENTITY USING INDEX c_code_key;
    CREATE TABLE d(k int, v text, big text);
    ALTER TABLE d REPLICA IDENTITY FULL;";

fn big(rng: &mut Rng) -> String {
    let seed = rng.u32(..1_000_000);
    match rng.u8(..3) {
        0 => "NULL".to_owned(),
        1 => format!("'small {seed}'"),
        _ => format!("(SELECT string_agg(md5((n + {seed})::text), '') FROM generate_series(1, 100) n)"),
    }
}

fn statement(rng: &mut Rng) -> String {
    let (key, other, value, big) = (rng.u32(..15), rng.u32(..15), rng.u32(..1000), big(rng));
    match rng.u8(..20) {
        0 | 1 => {
            format!("INSERT INTO a VALUES ({key}, '{value}', {big}) ON CONFLICT (id) DO UPDATE SET v = excluded.v")
        }
        2 => format!("UPDATE a SET v = '{value}' WHERE id = {key}"),
        3 => format!("UPDATE a SET big = {big} WHERE id = {key}"),
        4 => format!("UPDATE a SET id = {other} WHERE id = {key} AND NOT EXISTS (SELECT 1 FROM a WHERE id = {other})"),
        5 => format!("DELETE FROM a WHERE id = {key}"),
        6 | 7 => format!(
            "INSERT INTO b VALUES ({key}, 'y{other}', '{value}', {big}) ON CONFLICT (y, x) DO UPDATE SET big = {big}"
        ),
        8 => format!("UPDATE b SET v = '{value}' WHERE x = {key}"),
        9 => {
            format!("UPDATE b SET x = x + 15 WHERE x = {key} AND NOT EXISTS (SELECT 1 FROM b o WHERE o.x = {key} + 15)")
        }
        10 => format!("DELETE FROM b WHERE x % 15 = {key}"),
        11 | 12 => format!(
            "INSERT INTO c(code, v, big) VALUES ('c{key}', '{value}', {big}) ON CONFLICT (code) DO UPDATE SET v = excluded.v"
        ),
        13 => format!("UPDATE c SET code = 'd' || id || '-{other}' WHERE code = 'c{key}'"),
        14 => format!("DELETE FROM c WHERE id % 15 = {key}"),
        // Rows of this table are different, as clients cannot tell equal ones apart.
        15 => {
            format!("INSERT INTO d SELECT {key}, '{value}', {big} WHERE NOT EXISTS (SELECT 1 FROM d WHERE k = {key})")
        }
        16 => format!("UPDATE d SET v = '{value}' WHERE k = {key}"),
        17 => format!("DELETE FROM d WHERE k = {key}"),
        18 if rng.u8(..4) == 0 => ["TRUNCATE a", "TRUNCATE b, c", "TRUNCATE d"][rng.usize(..3)].to_owned(),
        _ => format!("UPDATE a SET v = v || 'x' WHERE id > {key}"),
    }
}

/// A transaction, perhaps with parts that are taken back.
fn write(client: &mut Client, rng: &mut Rng) {
    let mut sql = "BEGIN;".to_owned();
    for _ in 0..rng.usize(1..6) {
        let statement = statement(rng);
        match rng.u8(..8) {
            0 => sql.push_str(&format!("SAVEPOINT s; {statement}; ROLLBACK TO s;")),
            1 => sql.push_str(&format!("SAVEPOINT s; {statement}; RELEASE s;")),
            _ => sql.push_str(&format!("{statement};")),
        }
    }
    sql.push_str(if rng.u8(..10) == 0 { "ROLLBACK" } else { "COMMIT" });
    client.batch_execute(&sql).unwrap();
}

fn session(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut app = App::new(&["a", "b", "c", "d"], TABLES);
    let mut clients = [app.database.client(), app.database.client()];
    // The follower does not begin with empty tables.
    for _ in 0..20 {
        write(&mut clients[0], &mut rng);
    }
    app.follower = crate::app::follower(&["a", "b", "c", "d"], State::default());
    app.follower.start(&*app.source).unwrap();
    app.follower.wait = std::time::Duration::from_millis(10);
    let mut history: Vec<State> = Vec::new();
    for _ in 0..120 {
        match rng.u8(..20) {
            0..=8 => write(&mut clients[rng.usize(..2)], &mut rng),
            9..=12 => drop(app.follower.step().unwrap()),
            13..=15 => app.follower.chunk(&*app.source, rng.usize(1..6)).unwrap(),
            16 => {
                app.check();
                history.push(app.follower.state.clone());
            }
            17 if !history.is_empty() => {
                let from = rng.usize(..history.len());
                app.source.acknowledge(history[from].position.as_ref().unwrap()).unwrap();
                history.drain(..from);
            }
            18 if app.follower.is_consistent() => app.resume(),
            19 if app.follower.is_consistent() && !history.is_empty() => {
                app.follower.state = history[rng.usize(..history.len())].clone();
                app.resume();
                history.retain(|state| state.position <= app.follower.state.position);
            }
            _ => {}
        }
    }
    app.check();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn random_transactions_are_followed() {
    let seed = std::env::var("SYNC_SOURCES_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..4, |seed| seed..seed + 1) {
        println!("seed {seed}");
        session(seed);
    }
}
