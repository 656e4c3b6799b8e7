//! `rowtide config plan`: streams, buckets and tables of a configuration, and what a user would get.

use std::cell::RefCell;

use anyhow::Result;
use serde_json::{Value as Json, json};
use sync_config::{
    Limits, LookupSource, Plan as CompiledPlan, Reason, Request, RequestResult, Subscription, Value, evaluate_request,
};

use super::{Common, Document, File, sizes, table_name, tables};
use crate::exit::{Outcome, usage};
use crate::member::object;
use crate::output::Grid;
use crate::token::claims;

/// Shows streams, buckets and tables, and with --user what that user would get
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// The configuration; - is standard input
    file: File,
    /// The user: the claim `sub`
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Further claims of the token, as a JSON object
    #[arg(long, value_name = "JSON", requires = "user")]
    claims: Option<String>,
    /// Parameters of the connection, as a JSON object
    #[arg(long, value_name = "JSON", requires = "user")]
    parameters: Option<String>,
    /// A stream that the client subscribes to, with its parameters: NAME or NAME=JSON. Can be given several times
    #[arg(long, value_name = "STREAM", requires = "user")]
    subscribe: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Plan {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let document = Document::read(&self.file, &self.common)?;
        let Some(plan) = document.plan() else { return Ok(Outcome::Problem) };
        let answer = self.user.as_deref().map(|user| self.evaluate(plan, user)).transpose()?;
        if self.common.json {
            let mut shown = to_json(plan);
            if let (Json::Object(members), Some(answer)) = (&mut shown, &answer) {
                members.insert("user".into(), answer_to_json(plan, answer));
            }
            println!("{shown}");
        } else {
            match (&self.user, &answer) {
                (Some(user), Some(answer)) => print_answer(plan, user, answer),
                _ => print(plan, &document.name),
            }
        }
        let has_failed = answer.is_some_and(|answer| !answer.result.errors.is_empty());
        Ok(if has_failed { Outcome::Problem } else { Outcome::Fine })
    }

    fn evaluate(&self, plan: &CompiledPlan, user: &str) -> Result<Answer> {
        let mut claims = claims(self.claims.as_deref())?;
        claims.insert("sub".into(), user.into());
        let parameters = self.parameters.as_deref().unwrap_or("{}");
        object(parameters, "--parameters")?;
        let subscriptions = self.subscribe.iter().map(|text| subscription(plan, text)).collect::<Result<Vec<_>>>()?;
        let asked = Asked::default();
        let request = Request {
            claims: &Json::Object(claims).to_string(),
            parameters,
            include_defaults: true,
            subscriptions: &subscriptions,
        };
        let result = evaluate_request(plan, &request, &asked, &Limits::default());
        Ok(Answer { result, asked: asked.0.into_inner() })
    }
}

/// What a request gives as far as the configuration alone says it.
struct Answer {
    result: RequestResult,
    /// Index and key of what depends on rows.
    asked: Vec<(usize, String)>,
}

/// Indexes without entries: without a source nobody knows them.
#[derive(Default)]
struct Asked(RefCell<Vec<(usize, String)>>);

impl LookupSource for Asked {
    fn lookup(&self, index: usize, key: &str, _: &mut Vec<Vec<Value>>) -> Result<(), String> {
        self.0.borrow_mut().push((index, key.to_owned()));
        Ok(())
    }
}

fn subscription<'a>(plan: &CompiledPlan, text: &'a str) -> Result<Subscription<'a>> {
    let (stream, parameters) = match text.split_once('=') {
        Some((stream, parameters)) => (stream, Some(parameters)),
        None => (text, None),
    };
    if !plan.streams.iter().any(|known| known.name == stream) {
        return Err(usage(format!("--subscribe: there is no stream {stream}")));
    }
    if let Some(parameters) = parameters {
        object(parameters, "--subscribe: what follows =")?;
    }
    Ok(Subscription { stream, parameters, priority: None })
}

fn print(plan: &CompiledPlan, name: &str) {
    println!("{name}: {}\n", sizes(plan));
    for stream in &plan.streams {
        let subscribed = if stream.auto_subscribe { "subscribed by every client" } else { "subscribed on demand" };
        println!("{} ({subscribed}, priority {})", stream.name, stream.priority);
        for line in plan.describe(stream).lines() {
            println!("  {line}");
        }
        println!();
    }
    let mut grid = Grid::new(&["table", "for buckets", "for lookups"]);
    for table in tables(plan) {
        let (evaluators, indexes) = uses(plan, &table);
        grid.row([table, evaluators.to_string(), indexes.to_string()]);
    }
    print!("{grid}");
}

/// How many evaluators and indexes read a table.
fn uses(plan: &CompiledPlan, table: &str) -> (usize, usize) {
    let evaluators = plan.evaluators.iter().filter(|evaluator| table_name(&evaluator.program.table) == table);
    let indexes = plan.indexes.iter().filter(|index| table_name(&index.program.table) == table);
    (evaluators.count(), indexes.count())
}

fn to_json(plan: &CompiledPlan) -> Json {
    let streams = plan.streams.iter().map(|stream| {
        let definitions: Vec<_> = stream
            .queriers
            .iter()
            .filter_map(|querier| plan.definitions.get(querier.definition))
            .map(|definition| definition.name.as_str())
            .collect();
        json!({"name": stream.name, "auto_subscribe": stream.auto_subscribe, "priority": stream.priority,
            "definitions": definitions, "plan": plan.describe(stream)})
    });
    let definitions = plan.definitions.iter().map(|definition| {
        let evaluators: Vec<_> = definition.evaluators.iter().map(|number| plan.describe_evaluator(*number)).collect();
        json!({"name": definition.name, "hash": definition.hash.to_string(), "evaluators": evaluators})
    });
    let indexes = plan
        .indexes
        .iter()
        .enumerate()
        .map(|(number, index)| json!({"hash": index.hash.to_string(), "rows": plan.describe_index(number)}));
    let tables = tables(plan).into_iter().map(|table| {
        let (evaluators, indexes) = uses(plan, &table);
        json!({"name": table, "evaluators": evaluators, "indexes": indexes})
    });
    json!({
        "streams": streams.collect::<Vec<_>>(), "definitions": definitions.collect::<Vec<_>>(),
        "indexes": indexes.collect::<Vec<_>>(), "tables": tables.collect::<Vec<_>>(),
    })
}

fn print_answer(plan: &CompiledPlan, user: &str, answer: &Answer) {
    if answer.result.buckets.is_empty() {
        println!("The configuration alone gives {user} no bucket.");
    } else {
        let mut grid = Grid::new(&["bucket", "priority", "streams"]);
        for bucket in &answer.result.buckets {
            let streams = reasons(plan, answer, &bucket.reasons);
            grid.row([plan.bucket_name(&bucket.bucket, ""), bucket.priority.to_string(), streams.join(", ")]);
        }
        println!("Buckets of {user}:\n\n{grid}");
    }
    if !answer.asked.is_empty() {
        let mut grid = Grid::new(&["rows of", "with key"]);
        for (index, key) in &answer.asked {
            grid.row([plan.describe_index(*index), key.clone()]);
        }
        println!("Further buckets depend on:\n\n{grid}");
    }
    for error in &answer.result.errors {
        eprintln!("problem: {}: {}", stream(plan, answer, error.stream), error.message);
    }
}

fn answer_to_json(plan: &CompiledPlan, answer: &Answer) -> Json {
    let buckets = answer.result.buckets.iter().map(|bucket| {
        json!({"bucket": plan.bucket_name(&bucket.bucket, ""), "priority": bucket.priority,
            "streams": reasons(plan, answer, &bucket.reasons)})
    });
    let lookups = answer.asked.iter().map(|(index, key)| json!({"rows": plan.describe_index(*index), "key": key}));
    let errors = answer
        .result
        .errors
        .iter()
        .map(|error| json!({"stream": stream(plan, answer, error.stream), "message": error.message}));
    json!({"buckets": buckets.collect::<Vec<_>>(), "depends_on": lookups.collect::<Vec<_>>(),
        "errors": errors.collect::<Vec<_>>()})
}

/// The name of a stream by its number in the answer.
fn stream<'a>(plan: &'a CompiledPlan, answer: &Answer, number: usize) -> &'a str {
    let stream = answer.result.streams.get(number).and_then(|number| plan.streams.get(*number));
    stream.map_or("", |stream| stream.name.as_str())
}

fn reasons(plan: &CompiledPlan, answer: &Answer, reasons: &[Reason]) -> Vec<String> {
    let one = |reason: &Reason| match reason {
        Reason::Default(number) => stream(plan, answer, *number).to_owned(),
        Reason::Subscription(number) => format!("subscription {}", number + 1),
    };
    reasons.iter().map(one).collect()
}
