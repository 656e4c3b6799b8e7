//! The worked examples of the specification.

use super::support::described;

#[test]
fn probe() {
    for q in [
        "SELECT * FROM lists WHERE owner_id = auth.user_id()",
        "SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())",
        "SELECT t.* FROM todos t JOIN lists l ON t.list_id=l.id JOIN orgs o ON l.org_id=o.id WHERE o.owner=auth.user_id() AND t.archived=0",
        "SELECT * FROM todos WHERE list_id = subscription.parameter('list') AND list_id IN (SELECT id FROM lists WHERE owner_id=auth.user_id())",
        "SELECT * FROM a WHERE x=auth.user_id() OR y=auth.user_id()",
        "SELECT * FROM a WHERE deleted=0 AND (x=auth.user_id() OR pub=1)",
        "SELECT * FROM a WHERE x=5 OR auth.parameter('admin')=true",
        "SELECT * FROM a WHERE id IN auth.parameter('ids')",
        "SELECT a.* FROM a JOIN json_each(a.members) m WHERE m.value=auth.user_id()",
        "SELECT a.* FROM a, json_each(a.members) m WHERE m.value=auth.user_id()",
        "SELECT * FROM a WHERE subscription.parameter('p') IN (SELECT id FROM m WHERE u=auth.user_id())",
        "SELECT p.* FROM p JOIN c ON c.pid=p.id JOIN d ON d.cid=c.id WHERE d.u=auth.user_id() AND c.u2=auth.user_id()",
        "SELECT a.* FROM a JOIN b ON a.id=b.a_id AND a.kind=b.kind WHERE b.u=auth.user_id()",
        "SELECT * FROM a WHERE o IN (SELECT o FROM m WHERE u=auth.user_id() OR pub)",
        "SELECT * FROM a WHERE lower(email)=auth.parameter('email')",
        "SELECT * FROM a WHERE x=auth.user_id() AND x=subscription.parameter('u')",
        "SELECT a.* FROM a JOIN b ON a.x=b.x JOIN c ON b.y=c.y AND c.z=a.z",
        "SELECT a.* FROM a, b WHERE b.u = auth.user_id()",
        "SELECT a.* FROM a JOIN b ON b.a_id=a.id JOIN c ON c.id=b.c_id WHERE b.u=auth.user_id()",
    ] {
        let yaml = super::support::stream(&[q]);
        let c = super::support::compiled(&yaml);
        println!("{q}");
        for d in &c.diagnostics { println!("   {:?} {:?} {}", d.code, d.span.text(&yaml), d.message); }
        if c.plan.is_some() { println!("{}", described(q)); }
    }
}
