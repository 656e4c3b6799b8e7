//! Random histories: whatever happens in whichever order, a client ends with what a new one gets.

use std::collections::VecDeque;

use super::CONFIG;
use super::session::{Got, World, asks};
use crate::notice::CommitNotice;

const OTHER: &str = "config: {edition: 3}
streams:
  my_lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  list_todos:
    priority: 1
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list_id')
  shared_todos:
    query: SELECT todos.* FROM todos JOIN list_members m ON m.list_id = todos.list_id WHERE m.user_id = auth.user_id()
";

const ASKS: [&[&str]; 4] = [
    &["shared_todos", "list_todos list_id=l1 !1"],
    &["list_todos list_id=l2 !0", "list_todos list_id=l2", "region region=r1"],
    &["shared_todos !1", "fragile n=3"],
    &[],
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct Run {
    world: World,
    random: Random,
    /// Notices that were not routed yet.
    late: VecDeque<CommitNotice>,
    connected: [bool; 4],
    acknowledged: i64,
}

impl Run {
    fn write(&mut self) {
        let random = &mut self.random;
        let mut pick = |names: &[&str]| names[usize::try_from(random.below(names.len() as u64)).unwrap()].to_owned();
        let list = pick(&["l1", "l2", "l3"]);
        let user = pick(&["u1", "u1", "u2"]);
        let (table, id, rest) =
            match pick(&["todos", "todos", "todos", "lists", "list_members", "announcements", "regions"]) {
                table if table == "todos" => {
                    (table, pick(&["t1", "t2", "t3", "t4", "t5"]), vec![list, pick(&["a", "b"])])
                }
                table if table == "lists" => (table, list, vec![user]),
                table if table == "list_members" => (table, pick(&["m1", "m2"]), vec![list, user]),
                table => (table, pick(&["r1", "r2"]), vec![pick(&["a", "b", "c"])]),
            };
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let is_deleted = self.random.below(4) == 0;
        self.world.backend.set(&table, &id, (!is_deleted).then_some(&rest));
    }

    fn act(&mut self) {
        let id = u32::try_from(self.random.below(4)).unwrap();
        match self.random.below(40) {
            0..12 => self.write(),
            12..20 => self.late.push_back(self.world.backend.commit()),
            20..27 => {
                if let Some(notice) = self.late.pop_front() {
                    self.world.route(&notice);
                }
            }
            27..36 => {
                if self.connected[id as usize] {
                    let steps = self.random.below(6);
                    for _ in 0..steps {
                        assert!(!matches!(self.world.step(id), Got::End(_)));
                    }
                }
            }
            36 => self.reconnect(id),
            37 => self.world.backend.compact(),
            38 => {
                self.acknowledged += 1;
                self.world.backend.acknowledge("u1", "c", self.acknowledged);
            }
            _ => self.world.backend.deploy(if self.random.below(2) == 0 { CONFIG } else { OTHER }),
        }
    }

    fn reconnect(&mut self, id: u32) {
        let at = id as usize;
        if self.connected[at] {
            self.world.disconnect(id);
        } else {
            self.world.connect(id, &asks(id != 2, ASKS[at]));
        }
        self.connected[at] = !self.connected[at];
    }
}

fn run(seed: u64) {
    let world = World::new(CONFIG, &["lists l1 u1", "todos t1 l1 a", "announcements r1 a"]);
    let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut run = Run { world, random, late: VecDeque::new(), connected: [false; 4], acknowledged: 0 };
    (0..4).for_each(|id| run.reconnect(id));
    for _ in 0..300 {
        run.act();
    }
    run.late.push_back(run.world.backend.commit());
    while let Some(notice) = run.late.pop_front() {
        run.world.route(&notice);
    }
    for id in 0..4 {
        if !run.connected[id as usize] {
            run.reconnect(id);
        }
        run.world.lines(id);
        assert_eq!(run.world.clients[&id].model.acknowledged, (run.acknowledged > 0).then_some(run.acknowledged));
        run.world.check_against_new_client(id, &asks(id != 2, ASKS[id as usize]));
    }
}

#[test]
fn clients_converge() {
    for seed in 1..=60 {
        run(seed);
    }
}
