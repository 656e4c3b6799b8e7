//! The answer as sentences.

mod fit;

use sync_config::Plan;
use sync_config::explain::{Condition, Link, Origin};

use self::fit::{absent, link_text, misfit};
use super::find::{Found, Known};
use super::operations::Stored;
use super::{BucketFinding, By, Findings, QueryFinding, Reason, StreamFinding, Way, failing, values_text};

impl Reason {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: None }
    }

    fn with(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: Some(remedy.into()) }
    }
}

/// All reasons, in the order in which a row goes from the source to a client.
pub(super) fn reasons(findings: &Findings, plan: &Plan) -> Vec<Reason> {
    let mut reasons = vec![source(findings)];
    if !matches!(findings.known, Known::Yes) {
        return reasons;
    }
    let text = Text { plan, findings };
    for stream in &findings.streams {
        for way in &stream.ways {
            for query in &way.queries {
                reasons.extend(text.query(stream, way, query));
            }
        }
    }
    if findings.streams.is_empty() {
        let text = format!("No stream selects from {}.", findings.object_type);
        reasons.push(Reason::with(text, "Add a query to a stream of the configuration."));
    }
    reasons.extend(findings.unknown_streams.iter().map(|name| {
        let streams: Vec<&str> = plan.streams.iter().map(|stream| stream.name.as_str()).collect();
        Reason::with(
            format!("The client subscribes to the stream {name}, which the configuration does not have."),
            format!("Check the name. There are: {}.", streams.join(", ")),
        )
    }));
    reasons.extend(findings.strays.iter().map(stray));
    reasons.extend(text.checkpoint());
    reasons
}

fn source(findings: &Findings) -> Reason {
    let (name, id) = (&findings.object_type, &findings.object_id);
    match (&findings.known, &findings.found) {
        (Known::OnlySource(table), _) => Reason::with(
            format!("The source has the table {table}, but no query of the configuration selects from it."),
            format!("Add a query to a stream, for instance SELECT * FROM {name}, with the conditions that users need."),
        ),
        (Known::OnlyConfig(table), _) => Reason::with(
            format!("The configuration selects from {table}, which the source does not have."),
            "Create the table, or correct its name in the configuration.",
        ),
        (Known::No(tables), _) => Reason::with(
            format!("Neither the configuration nor the source has a table {name}."),
            match tables.as_slice() {
                [] => "The configuration selects from no table of the source.".to_owned(),
                tables => format!("Check the name. Clients know: {}.", tables.join(", ")),
            },
        ),
        (Known::Yes, Found::Row(row)) => {
            Reason::new(format!("The source has the row: {} with {}.", row.table(), values_text(&row.key)))
        }
        (Known::Yes, Found::No) => Reason::with(
            format!("The source has no row of {name} with the id '{id}'."),
            "Check the id, and whether the transaction that writes the row is committed.",
        ),
        (Known::Yes, Found::NotAmong(rows)) => Reason::with(
            format!(
                "None of the first {rows} rows of {name} has the id '{id}'. The others were not searched, as the id is not \
                 the key of the table."
            ),
            "Check at the source whether there is such a row.",
        ),
    }
}

fn stray(stray: &super::Stray) -> Reason {
    Reason::with(
        format!(
            "The user has the row in the bucket {} (operation {}), to which the row at the source does not belong any more.",
            stray.name, stray.op_id
        ),
        "The change is not replicated yet: look at the source in the service's status.",
    )
}

struct Text<'a> {
    plan: &'a Plan,
    findings: &'a Findings,
}

impl Text<'_> {
    /// Why a query gives the row to the user or not. Of a visible row, only the ways that lead to it.
    fn query(&self, stream: &StreamFinding, way: &Way, query: &QueryFinding) -> Vec<Reason> {
        let is_path = |bucket: &&BucketFinding| bucket.is_had && matches!(bucket.stored, Stored::Put { .. });
        if self.findings.is_visible {
            let paths = query.buckets.iter().filter(is_path);
            return match way.by {
                By::Nothing => Vec::new(),
                _ => paths.filter_map(|bucket| self.path(stream, way, query, bucket)).collect(),
            };
        }
        if !matches!(self.findings.found, Found::Row(_)) {
            return Vec::new();
        }
        let prefix = subject(stream, way);
        let (text, remedy) = self.why_not(way, query);
        vec![Reason { text: format!("{prefix}: {text}"), remedy }]
    }

    /// A way on which the user gets the row; none if this way to the stream is not one of them.
    fn path(&self, stream: &StreamFinding, way: &Way, query: &QueryFinding, bucket: &BucketFinding) -> Option<Reason> {
        if way.error.is_some() || !query.request.keys_may_have(&bucket.key) {
            return None;
        }
        let mut text = format!("{}: the row is in the bucket {}", subject(stream, way), bucket.name);
        if !query.key.is_empty() {
            text.push_str(&format!(", as {}", key_text(query, bucket)));
        }
        text.push_str(". The user has this bucket");
        let links: Vec<String> =
            bucket.links.iter().filter(|link| link.holds()).map(|link| link_text(self.plan, link)).collect();
        if !links.is_empty() {
            text.push_str(&format!(", as {}", links.join(", and ")));
        }
        text.push('.');
        let is_known = |link: &&Link| !matches!(link, Link::NoRow { is_complete: false, .. });
        if bucket.links.iter().filter(is_known).any(|link| !link.holds()) {
            text.push_str(" At the source this has changed already, which is not replicated yet.");
        }
        Some(Reason::new(text))
    }

    fn why_not(&self, way: &Way, query: &QueryFinding) -> (String, Option<String>) {
        if !query.lacks.is_empty() {
            let text =
                format!("{} has no column {}, which the query needs", query.source_table, query.lacks.join(", "));
            return finished(text, Some("Correct the query, or add the column.".into()));
        }
        let Some(row) = &query.row else {
            return finished(
                format!("the query selects from {}, which is not the row's table", query.source_table),
                None,
            );
        };
        let failed: Vec<&Condition> = failing(&row.conditions).collect();
        if !failed.is_empty() {
            let texts: Vec<String> = failed.iter().map(|condition| misfit(condition)).collect();
            let text = format!("the row does not meet {}", texts.join(", and not "));
            return finished(text, Some("Change the row at the source, or the condition of the query.".into()));
        }
        if row.entries.is_empty() || query.buckets.is_empty() {
            let text = format!("the row belongs to no bucket, as {} is NULL or a blob", query.key.join(" or "));
            return finished(text, Some("Give the column a value, or change the query.".into()));
        }
        if let Some(problem) = query.problem {
            return finished(format!("the row is left out: {problem}"), Some("Correct the row at the source.".into()));
        }
        if let Some(error) = &way.error {
            let remedy = if error.starts_with("Too many") {
                "Have the client subscribe to less, or divide the stream; the service's limits are in its documentation."
            } else {
                "Check the values of the token and the parameters that the query uses."
            };
            return finished(format!("it fails for this user: {error}"), Some(remedy.into()));
        }
        match &way.by {
            By::Nothing => self.not_subscribed(query),
            By::Default | By::Subscription(_) => self.not_had(query),
        }
    }

    fn not_subscribed(&self, query: &QueryFinding) -> (String, Option<String>) {
        let mut parameters = serde_json::Map::new();
        let mut others = Vec::new();
        for link in query.buckets.first().map(|bucket| bucket.links.as_slice()).unwrap_or_default() {
            let wanted = match link {
                Link::Value(value) => vec![value],
                Link::Row(row) => row.parts.iter().collect(),
                _ => Vec::new(),
            };
            let mut is_parameter = !link.holds();
            for part in wanted.iter().filter(|part| !part.holds()) {
                match (part.inputs.as_slice(), &part.has) {
                    ([input], Some(has)) if input.name == part.sql => match &input.origin {
                        Origin::Subscription(name) => {
                            parameters.insert(name.clone(), super::tree::value_json(&has.value));
                        }
                        _ => is_parameter = false,
                    },
                    _ => is_parameter = false,
                }
            }
            if !link.holds() && (!is_parameter || wanted.is_empty()) {
                others.push(link);
            }
        }
        let with = if parameters.is_empty() {
            String::new()
        } else {
            format!(" with the parameters {}", serde_json::Value::Object(parameters))
        };
        let mut text = "the client does not subscribe to it".to_owned();
        if others.is_empty() {
            return finished(text, Some(format!("Subscribe to it{with}.")));
        }
        let (also, remedy) = self.links(&others);
        text.push_str(&format!(", and would not get the row if it did: {also}"));
        finished(text, remedy)
    }

    /// Why the user does not have the row through a stream that is subscribed to.
    fn not_had(&self, query: &QueryFinding) -> (String, Option<String>) {
        let failed: Vec<&Condition> = failing(&query.request.conditions).collect();
        if !failed.is_empty() {
            let texts: Vec<String> = failed.iter().map(|condition| misfit(condition)).collect();
            let missing = failed.iter().find_map(|condition| absent(&condition.values));
            let (fact, remedy) = missing.map_or((None, None), |(fact, remedy)| (Some(fact), Some(remedy)));
            let fact = fact.map(|fact| format!("; {fact}")).unwrap_or_default();
            return finished(format!("the request does not meet {}{fact}", texts.join(", and not ")), remedy);
        }
        let Some(bucket) = query.buckets.first() else { return finished("the row belongs to no bucket".into(), None) };
        let mut text = format!("the row is in the bucket {}", bucket.name);
        if !query.key.is_empty() {
            text.push_str(&format!(", as {}", key_text(query, bucket)));
        }
        if bucket.is_had {
            return self.not_replicated(text + ", which the user has");
        }
        let misfits: Vec<&Link> = bucket.links.iter().filter(|link| !link.holds()).collect();
        if misfits.is_empty() {
            return self
                .not_replicated(text + ", which the user does not have yet although everything fits at the source");
        }
        let (also, remedy) = self.links(&misfits);
        finished(format!("{text}, which the user does not have: {also}"), remedy)
    }

    fn not_replicated(&self, text: String) -> (String, Option<String>) {
        let remedy = match self.findings.is_behind {
            Some(true) => {
                "The service has not read the newest changes of the source: try again, and look at `source` in the service's status."
            }
            _ => "Look at `source`, `config.building` and `problems` in the service's status.",
        };
        finished(format!("{text}. The row is not replicated to it yet"), Some(remedy.into()))
    }

    fn links(&self, links: &[&Link]) -> (String, Option<String>) {
        let mut texts: Vec<String> = Vec::new();
        let mut remedies: Vec<String> = Vec::new();
        for link in links {
            let (text, remedy) = fit::broken(self.plan, link);
            texts.push(text);
            remedies.extend(remedy.filter(|remedy| !remedies.contains(remedy)));
        }
        (texts.join("; "), (!remedies.is_empty()).then(|| remedies.join(" ")))
    }

    fn checkpoint(&self) -> Option<Reason> {
        let findings = self.findings;
        if !findings.is_complete {
            return Some(Reason::new(
                "The buckets are too large to be searched to their end, so an operation may be missing here.",
            ));
        }
        if !findings.is_visible {
            return None;
        }
        let put = super::buckets(&findings.streams).find_map(|bucket| match bucket.stored {
            Stored::Put { op_id, is_current } if bucket.is_had => Some((op_id, is_current)),
            _ => None,
        });
        let (op_id, is_current) = put?;
        let text = format!("The checkpoint {} includes it as operation {op_id}", findings.checkpoint);
        if is_current {
            return Some(Reason::new(text + "."));
        }
        let text = text + ", which is an older version than that of the source.";
        Some(Reason::with(text, "The newest version is not replicated yet: look at `source` in the service's status."))
    }
}

fn subject(stream: &StreamFinding, way: &Way) -> String {
    match way.by {
        By::Default => format!("Stream {}, which every client has", stream.name),
        By::Subscription(number) => format!("Stream {}, subscription {}", stream.name, number + 1),
        By::Nothing => format!("Stream {}", stream.name),
    }
}

/// `list_id = 'l1'`
fn key_text(query: &QueryFinding, bucket: &BucketFinding) -> String {
    let values = query.key.iter().zip(&bucket.key);
    let named = values.map(|(part, value)| sync_config::explain::NamedValue::column(part.clone(), value.clone()));
    values_text(&named.collect::<Vec<_>>())
}

/// A clause as the end of a sentence.
fn finished(text: String, remedy: Option<String>) -> (String, Option<String>) {
    (text + ".", remedy)
}
