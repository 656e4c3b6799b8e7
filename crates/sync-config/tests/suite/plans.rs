//! Worked examples: queries, and the plans that they become.

use super::support::{described, plan, stream};

const SUB: &str = "(->> auth 'sub')";

fn check(query: &str, expected: &str) {
    let expected = expected.replace("SUB", SUB);
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let described = described(query);
    let described: Vec<&str> = described.lines().map(str::trim).collect();
    assert_eq!(described, expected, "{query}");
}

#[test]
fn one_table() {
    check(
        "SELECT * FROM lists WHERE owner_id = auth.user_id()",
        "s|0 (SUB):
           lists by (\"owner_id\")",
    );
    check(
        "SELECT * FROM a WHERE lower(email)=auth.parameter('email')",
        "s|0 ((->> auth 'email')):
           a by ((lower \"email\"))",
    );
    check("SELECT * FROM a", "s|0 ():\n a by ()");
}

#[test]
fn lookups() {
    check(
        "SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())",
        "lookup lists by (\"owner_id\") = (SUB) -> \"id\" as $0
         s|0 ($0):
           todos by (\"list_id\")",
    );
    check(
        "SELECT t.* FROM todos t JOIN lists l ON t.list_id=l.id JOIN orgs o ON l.org_id=o.id
         WHERE o.owner=auth.user_id() AND t.archived=0",
        "lookup orgs by (\"owner\") = (SUB) -> \"id\" as $0
         lookup lists by (\"org_id\") = ($0) -> \"id\" as $1
         s|0 ($1):
           todos where (= \"archived\" 0) by (\"list_id\") as t",
    );
    check(
        "SELECT p.* FROM p JOIN c ON c.pid=p.id JOIN d ON d.cid=c.id
         WHERE d.u=auth.user_id() AND c.u2=auth.user_id()",
        "lookup d by (\"u\") = (SUB) -> \"cid\" as $0
         lookup c by (\"id\", \"u2\") = ($0, SUB) -> \"pid\" as $1
         s|0 ($1):
           p by (\"id\")",
    );
    check(
        "SELECT a.* FROM a JOIN b ON a.id=b.a_id AND a.kind=b.kind WHERE b.u=auth.user_id()",
        "lookup b by (\"u\") = (SUB) -> \"a_id\", \"kind\" as $0, $1
         s|0 ($0, $1):
           a by (\"id\", \"kind\")",
    );
    // A triangle: both parts of the key come from one derivation.
    check(
        "SELECT a.* FROM a JOIN b ON a.x=b.x JOIN c ON b.y=c.y AND c.z=a.z",
        "lookup c by () = () -> \"y\", \"z\" as $0, $1
         lookup b by (\"y\") = ($0) -> \"x\" as $2
         s|0 ($2, $1):
           a by (\"x\", \"z\")",
    );
}

#[test]
fn intersections_are_pushed_down() {
    check(
        "SELECT * FROM todos WHERE list_id = subscription.parameter('list')
         AND list_id IN (SELECT id FROM lists WHERE owner_id=auth.user_id())",
        "lookup lists by (\"id\", \"owner_id\") = ((->> subscription 'list'), SUB) exists
         s|0 ((->> subscription 'list')):
           todos by (\"list_id\")",
    );
    check(
        "SELECT * FROM a WHERE x=auth.user_id() AND x=subscription.parameter('u')",
        "if (= SUB (->> subscription 'u'))
         s|0 (SUB):
           a by (\"x\")",
    );
    check(
        "SELECT * FROM t WHERE l IN auth.parameter('ids') AND l IN (SELECT id FROM lists WHERE o=auth.user_id())",
        "each (->> auth 'ids') -> value as $0
         lookup lists by (\"id\", \"o\") = ($0, SUB) exists
         s|0 ($0):
           t by (\"l\")",
    );
}

#[test]
fn branches() {
    check(
        "SELECT * FROM a WHERE x=auth.user_id() OR y=auth.user_id()",
        "s|0 (SUB):
           a by (\"x\")
           a by (\"y\")",
    );
    check(
        "SELECT * FROM a WHERE deleted=0 AND (x=auth.user_id() OR pub=1)",
        "s|0 (SUB):
           a where (= \"deleted\" 0) by (\"x\")
         s|1 ():
           a where (= \"deleted\" 0), (= \"pub\" 1) by ()",
    );
    check(
        "SELECT * FROM a WHERE x=5 OR auth.parameter('admin')=true",
        "s|0 ():
           a where (= \"x\" 5) by ()
         if (= (->> auth 'admin') 1)
         s|1 ():
           a by ()",
    );
    // Two queriers of one definition.
    check(
        "SELECT * FROM a WHERE o IN (SELECT o FROM m WHERE u=auth.user_id() OR pub)",
        "lookup m by (\"u\") = (SUB) -> \"o\" as $0
         s|0 ($0):
           a by (\"o\")
         lookup m where \"pub\" by () = () -> \"o\" as $0
         s|0 ($0):
           a by (\"o\")",
    );
    // A condition that is never true ends its branch, one that always is disappears.
    check(
        "SELECT * FROM a WHERE (x = auth.user_id() AND 1 = 2) OR (y = 3 AND 1 = 1)",
        "s|0 ():\n a where (= \"y\" 3) by ()",
    );
}

#[test]
fn functions() {
    check(
        "SELECT * FROM a WHERE id IN auth.parameter('ids')",
        "each (->> auth 'ids') -> value as $0
         s|0 ($0):
           a by (\"id\")",
    );
    check(
        "SELECT a.* FROM a JOIN json_each(a.members) m WHERE m.value=auth.user_id()",
        "s|0 (SUB):
           a each0(\"members\") by (each0.value)",
    );
    check(
        "SELECT * FROM a WHERE auth.user_id() IN a.members",
        "s|0 (SUB):
           a each0(\"members\") by (each0.value)",
    );
}

#[test]
fn existence() {
    check(
        "SELECT * FROM a WHERE subscription.parameter('p') IN (SELECT id FROM m WHERE u=auth.user_id())",
        "lookup m by (\"id\", \"u\") = ((->> subscription 'p'), SUB) exists
         s|0 ():
           a by ()",
    );
    check(
        "SELECT a.* FROM a, b WHERE b.u = auth.user_id()",
        "lookup b by (\"u\") = (SUB) exists
         s|0 ():
           a by ()",
    );
    // A table behind the one that the user is in does not have to be read whole.
    check(
        "SELECT a.* FROM a JOIN b ON b.a_id=a.id JOIN c ON c.id=b.c_id WHERE b.u=auth.user_id()",
        "lookup b by (\"u\") = (SUB) -> \"a_id\", \"c_id\" as $0, $1
         lookup c by (\"id\") = ($1) exists
         s|0 ($0):
           a by (\"id\")",
    );
}

#[test]
fn definitions_are_shared_between_streams() {
    let plan = plan(
        "config: {edition: 3}
streams:
  mine:
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())
  one:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list') AND auth.parameter('admin')
",
    );
    assert_eq!(plan.definitions.len(), 1);
    assert_eq!(plan.definitions[0].name, "mine|0");
    assert_eq!(plan.streams[1].queriers[0].definition, 0);
}

#[test]
fn a_plan_survives_storage() {
    let plan =
        plan(&stream(&["SELECT id, x'00ff' AS b, 1.5 AS r FROM a WHERE x = auth.user_id() AND y IN ('a', 'b')"]));
    let text = serde_json::to_string(&plan).unwrap();
    let back: sync_config::Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}
