//! Random changes of the schema between random changes of the service: wherever rows of a type live, a complete
//! checkpoint shows exactly what the service has, with every column of the schema
//! (docs/reference/schema.md#direct-tables).

use std::collections::BTreeMap;

use rowtide_testkit::Host;
use rowtide_testkit::random::Random;
use rowtide_testkit::session::Session;
use serde_json::{Map, Value, json};

/// Sessions run by the test; each is a seed.
const SESSIONS: u64 = 60;
/// Changes of the schema in a session.
const ROUNDS: usize = 15;
const COLUMNS: [&str; 4] = ["a", "b", "A", "c\"d"];
const IDS: [&str; 4] = ["1", "2", "3", "4"];

/// What the schema says of type `t`.
#[derive(Debug, Clone)]
struct Place {
    kind: Kind,
    columns: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Untyped,
    Json,
    Direct,
    LocalJson,
    LocalDirect,
}

impl Place {
    fn random(random: &mut Random) -> Self {
        use Kind::{Direct, Json, LocalDirect, LocalJson, Untyped};
        let kind = [Untyped, Json, Json, Direct, Direct, Direct, LocalJson, LocalDirect][random.below(8)];
        let mut columns: Vec<&str> = COLUMNS.into_iter().filter(|_| random.below(3) > 0).collect();
        // Columns of one table differ in more than case.
        let left_out = ["a", "A"][random.below(2)];
        columns.retain(|column| *column != left_out);
        if random.below(2) == 0 {
            columns.reverse();
        }
        Self { kind, columns }
    }

    fn is_local(&self) -> bool {
        matches!(self.kind, Kind::LocalJson | Kind::LocalDirect)
    }

    fn schema(&self) -> Value {
        let columns: Vec<Value> = self.columns.iter().map(|name| json!({"name": name, "type": "text"})).collect();
        let is_direct = matches!(self.kind, Kind::Direct | Kind::LocalDirect);
        let table = json!({"name": "t", "columns": columns, "direct": is_direct, "local_only": self.is_local()});
        json!({"tables": if self.kind == Kind::Untyped { json!([]) } else { json!([table]) }})
    }

    /// What the application sees of synced rows, by id: their columns, or in `ps_untyped` the JSON.
    fn shown(&self, host: &Host) -> BTreeMap<String, Value> {
        let sql = match self.kind {
            Kind::Json | Kind::Direct => {
                let columns = self.columns.iter().map(|name| format!(", \"{}\"", name.replace('"', "\"\"")));
                format!("SELECT id{} FROM t", columns.collect::<String>())
            }
            _ => "SELECT id, data FROM ps_untyped".into(),
        };
        let rows = host.rows(&sql).into_iter();
        rows.map(|row| (row[0].as_str().unwrap().to_owned(), self.content(&row[1..]))).collect()
    }

    fn content(&self, columns: &[Value]) -> Value {
        match self.kind {
            Kind::Json | Kind::Direct => columns.into(),
            _ => serde_json::from_str(columns[0].as_str().unwrap()).unwrap(),
        }
    }

    /// What it has to be for a row of the service.
    fn expected(&self, data: &str) -> Value {
        let row: Map<String, Value> = serde_json::from_str(data).unwrap();
        match self.kind {
            Kind::Json | Kind::Direct => {
                self.columns.iter().map(|name| row.get(*name).cloned().unwrap_or_default()).collect()
            }
            _ => row.into(),
        }
    }
}

fn change(session: &mut Session, random: &mut Random) {
    for _ in 0..random.below(4) {
        let id = IDS[random.below(IDS.len())];
        if random.below(4) == 0 {
            session.remove("t", id);
            continue;
        }
        let columns = COLUMNS.into_iter().filter(|_| random.below(4) > 0).collect::<Vec<_>>();
        let members = columns.into_iter().map(|name| (name.into(), json!(random.below(3).to_string())));
        session.put("t", id, &Value::Object(members.collect()).to_string());
    }
}

/// Completes a checkpoint, after a new start where the change of the schema asks for one.
fn sync(session: &mut Session) {
    let instructions = session.host.line(&json!({"token_expires_in": 3600})).to_string();
    if instructions.contains("CloseSyncStream") {
        assert!(instructions.contains(r#"{"CloseSyncStream":{"hide_disconnect":true}}"#), "{instructions}");
        session.host.control("start", ());
        session.host.line(&session.service.checkpoint());
    }
    let instructions = session.sync().to_string();
    assert!(instructions.contains("DidCompleteSync"), "{instructions}");
}

#[test]
fn every_checkpoint_shows_the_services_rows() {
    for seed in 1..=SESSIONS {
        let mut random = Random::new(seed);
        let mut session = Session::with_schema(&json!({"tables": []}));
        let mut history = Vec::new();
        for _ in 0..ROUNDS {
            let place = Place::random(&mut random);
            session.host.replace_schema(&place.schema());
            history.push(place.clone());
            change(&mut session, &mut random);
            sync(&mut session);
            let rows = session.service.rows();
            let expected = rows.into_iter().map(|((_, id), data)| (id, place.expected(&data))).collect();
            assert_eq!(place.shown(&session.host), expected, "seed {seed}, {history:?}");
            if place.is_local() {
                let synced = session.host.value("SELECT count(*) FROM t WHERE id != 'local'");
                assert_eq!(synced, 0, "seed {seed}, {history:?}");
                session.host.execute("DELETE FROM t; INSERT INTO t(id) VALUES ('local')");
            }
            assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
        }
    }
}
