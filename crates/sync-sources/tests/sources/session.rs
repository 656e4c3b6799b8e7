//! A random session: a source is written and read at the same time, closed and opened again.

use fastrand::Rng;
use sync_engine::source::Source;

use crate::follower::{Follower, State, patterns_in};
use crate::world::{Model, World};

/// One random session, then everything must be as in the model.
pub(crate) fn session(world: &mut dyn World, seed: u64, steps: usize) {
    let mut rng = Rng::with_seed(seed);
    let mut model = Model::new(world.specs());
    let names: Vec<&str> = model.specs.iter().map(|spec| spec.name).collect();
    let write = |world: &mut dyn World, model: &mut Model, rng: &mut Rng| {
        let writes = model.random(rng, world.values(), world.is_by_table());
        if !writes.is_empty() {
            world.write(&writes, model);
        }
    };
    for _ in 0..rng.usize(..10) {
        write(world, &mut model, &mut rng);
    }
    let mut source = world.open();
    let mut follower = Follower::new(patterns_in(world.schema(), &names), State::default());
    follower.start(&*source).unwrap();
    // States from the last acknowledged one on.
    let mut history: Vec<State> = Vec::new();
    for _ in 0..steps {
        match rng.u8(..20) {
            0..=6 => write(world, &mut model, &mut rng),
            7..=11 => {
                follower.step().unwrap();
            }
            12..=15 => follower.chunk(&*source, rng.usize(1..5)).unwrap(),
            16 => {
                follower.catch_up(&*source).unwrap();
                assert_eq!(follower.content(), model.content(), "seed {seed}");
                history.push(follower.state.clone());
            }
            17 if follower.is_consistent() && !history.is_empty() => {
                let from = rng.usize(..history.len());
                source.acknowledge(history[from].position.as_ref().unwrap()).unwrap();
                history.drain(..from);
            }
            18 if follower.is_consistent() => {
                let lost = follower.lost;
                // The source first, as a process that ends.
                drop(source);
                source = world.open();
                follower.start(&*source).unwrap();
                assert!(follower.lost == lost || !world.keeps_positions(), "a restart lost the position");
                if follower.lost > lost {
                    history.clear();
                }
            }
            19 if follower.is_consistent() && !history.is_empty() => {
                let lost = follower.lost;
                follower.state = history[rng.usize(..history.len())].clone();
                follower.start(&*source).unwrap();
                assert_eq!(follower.lost, lost, "a position that is not acknowledged is lost");
                history.retain(|state| state.position <= follower.state.position);
            }
            _ => {}
        }
    }
    follower.catch_up(&*source).unwrap();
    assert_eq!(follower.content(), model.content(), "seed {seed}");
    refetch(&*source, &follower, &model);
}

/// Rows by their keys are those of the content.
fn refetch(source: &dyn Source, follower: &Follower, model: &Model) {
    for (spec, rows) in model.specs.iter().zip(&model.rows) {
        let known = follower.state.tables.values().find(|table| table.table.name == spec.name).unwrap();
        let key =
            |row: &Vec<sync_config::Value>| spec.key.iter().map(|column| row[*column].clone()).collect::<Vec<_>>();
        let mut keys: Vec<Vec<sync_config::Value>> = rows.values().map(key).collect();
        keys.push(spec.key.iter().map(|_| sync_config::Value::Text("nobody".into())).collect());
        let found = source.refetch(&known.table, &keys).unwrap().rows;
        assert_eq!(found.len(), keys.len());
        assert!(found.last().unwrap().is_none());
        assert!(found[..keys.len() - 1].iter().all(Option::is_some), "{}", spec.name);
    }
}
