//! Follows the row and the request through all streams of a plan.

use sync_config::explain::{NoTracer, links};
use sync_config::{
    BucketRequest, Querier, QuerierTrace, Request, RequestResult, Stream, Value, evaluate_request, key_text,
};

use super::find::{Candidate, Found, Relevant};
use super::operations::{Operations, Place, Stored};
use super::rows::SourceRows;
use super::{BucketFinding, By, ExplainError, Places, QueryFinding, Question, Stray, StreamFinding, Way, buckets};
use crate::connection::Lookups;
use crate::row::SourceTable;
use crate::store::StoreError;

/// How many buckets of a query are explained that the user does not have: the row can be in many.
const MISSED_SHOWN: usize = 3;
/// What an answer is made with.
pub(super) struct Work<'a> {
    places: Places<'a>,
    request: Request<'a>,
    lookups: Lookups<'a>,
    result: RequestResult,
    rows: SourceRows<'a>,
    operations: Operations<'a>,
    relevant: Vec<Relevant<'a>>,
    found: &'a Found,
}

impl<'a> Work<'a> {
    /// Finds the user's buckets.
    pub(super) fn new(
        places: Places<'a>,
        question: &Question<'a>,
        schema: &'a [SourceTable],
        (found, relevant): (&'a Found, Vec<Relevant<'a>>),
    ) -> Result<Self, ExplainError> {
        let request = Request {
            claims: question.claims,
            parameters: question.parameters,
            include_defaults: true,
            subscriptions: question.subscriptions,
        };
        let lookups = Lookups::new(places.plan, places.reader);
        let result = evaluate_request(&places.plan.plan, &request, &lookups, places.limits);
        lookups.result()?;
        let rows = SourceRows::new(&places.plan.plan, places.source, schema);
        let operations = Operations::new(places.reader, question);
        Ok(Self { places, request, lookups, result, rows, operations, relevant, found })
    }

    /// Whether all operations were searched.
    pub(super) fn is_complete(&self) -> bool {
        self.operations.is_complete()
    }
}

impl Work<'_> {
    pub(super) fn streams(&self) -> Result<Vec<StreamFinding>, ExplainError> {
        let mut streams = Vec::new();
        for (number, stream) in self.places.plan.plan.streams.iter().enumerate() {
            let ways = self.ways(number, stream)?;
            if !ways.is_empty() {
                streams.push(StreamFinding { name: stream.name.clone(), ways });
            }
        }
        Ok(streams)
    }

    /// The ways to a stream that selects from the row's table.
    fn ways(&self, number: usize, stream: &Stream) -> Result<Vec<Way>, ExplainError> {
        let mut bys = Vec::new();
        if stream.auto_subscribe {
            bys.push((By::Default, None));
        }
        for (at, subscription) in self.request.subscriptions.iter().enumerate() {
            if subscription.stream == stream.name {
                bys.push((By::Subscription(at), subscription.parameters));
            }
        }
        if bys.is_empty() {
            bys.push((By::Nothing, None));
        }
        let mut ways = Vec::new();
        for (by, parameters) in bys {
            let error = self.error(number, &by);
            let mut queries = Vec::new();
            for querier in &stream.queriers {
                queries.extend(self.queries(querier, parameters, matches!(by, By::Nothing))?);
            }
            if !queries.is_empty() {
                ways.push(Way { by, error, queries });
            }
        }
        Ok(ways)
    }

    pub(super) fn unknown_streams(&self) -> Vec<String> {
        let is_known = |name: &str| self.places.plan.plan.streams.iter().any(|stream| stream.name == name);
        let names = self.request.subscriptions.iter().map(|subscription| subscription.stream);
        names.filter(|name| !is_known(name)).map(str::to_owned).collect()
    }

    fn error(&self, stream: usize, by: &By) -> Option<String> {
        let is_it = |reason: &sync_config::Reason| match (reason, by) {
            (sync_config::Reason::Default(_), By::Default) => true,
            (sync_config::Reason::Subscription(one), By::Subscription(other)) => one == other,
            _ => false,
        };
        let mut errors = self.result.errors.iter();
        let found = errors.find(|error| self.result.streams.get(error.stream) == Some(&stream) && is_it(&error.reason));
        found.map(|error| error.message.clone())
    }

    fn queries(
        &self,
        querier: &Querier,
        parameters: Option<&str>,
        is_not_subscribed: bool,
    ) -> Result<Vec<QueryFinding>, ExplainError> {
        let plan = self.places.plan;
        let Some(definition) = plan.plan.definitions.get(querier.definition) else { return Ok(Vec::new()) };
        let mut findings = Vec::new();
        for relevant in self.relevant.iter().filter(|relevant| definition.evaluators.contains(&relevant.evaluator)) {
            let request = if is_not_subscribed {
                QuerierTrace::default()
            } else {
                QuerierTrace::new(querier, &self.request, parameters, &self.lookups, self.places.limits)
            };
            let candidate = match self.found {
                Found::Row(candidate) if candidate.is_of(relevant.table) => Some(candidate),
                _ => None,
            };
            let (row, lacks) = match candidate.map(|row| row.trace(&plan.plan, relevant)) {
                Some(Ok(trace)) => (Some(trace), Vec::new()),
                Some(Err(NoTracer::Lacks(columns))) => (None, columns),
                Some(Err(NoTracer::OtherTable)) | None => (None, Vec::new()),
            };
            let mut finding = QueryFinding {
                prefix: plan.name_prefixes.get(querier.definition).cloned().unwrap_or_default(),
                client_table: relevant.client_table.clone(),
                source_table: relevant.source_name(),
                key: plan.plan.evaluator_key_sql(relevant.evaluator),
                problem: candidate.and_then(|row| row.problem(relevant.evaluator)),
                row,
                lacks,
                request,
                buckets: Vec::new(),
                more_buckets: 0,
            };
            if let Some(candidate) = candidate {
                self.buckets(&mut finding, querier, parameters, candidate)?;
            }
            findings.push(finding);
        }
        Ok(findings)
    }

    /// The buckets that the row belongs to: those that the user has, or some that the user has not.
    fn buckets(
        &self,
        finding: &mut QueryFinding,
        querier: &Querier,
        parameters: Option<&str>,
        candidate: &Candidate,
    ) -> Result<(), ExplainError> {
        let Some(row) = finding.row.as_ref().filter(|row| row.holds()) else { return Ok(()) };
        let definition = querier.definition;
        let keys = row.entries.iter().filter_map(|entry| Some((entry.key.clone(), key_text(&entry.key, false)?)));
        let keys: Vec<(Vec<Value>, String)> = keys.collect();
        let has = |text: &String| self.has(&BucketRequest { definition, key: text.clone() });
        let (had, missed): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(_, text)| has(text));
        let is_had = !had.is_empty();
        let shown = if is_had { had } else { missed.iter().take(MISSED_SHOWN).cloned().collect() };
        finding.more_buckets = if is_had { missed.len() } else { missed.len().saturating_sub(shown.len()) };
        for (key, text) in shown {
            let links =
                links(&self.places.plan.plan, querier, (&finding.key, &key), (&self.request, parameters), &self.rows);
            let links = links.map_err(|message| self.rows.error(message))?;
            let id = row.id.as_deref().unwrap_or_default();
            let data = candidate.data(definition, &text, &finding.client_table, id);
            let stored = self.operations.find(self.place(definition, &text)?, (&finding.client_table, id), data)?;
            let name = self.places.plan.bucket_name(definition, &text);
            finding.buckets.push(BucketFinding { key, name, is_had, links, stored });
        }
        Ok(())
    }

    fn has(&self, bucket: &BucketRequest) -> bool {
        self.result.buckets.iter().any(|found| found.bucket == *bucket)
    }

    /// A bucket as the storage knows it.
    fn place(&self, definition: usize, key: &str) -> Result<Place, ExplainError> {
        let id = self.places.plan.definitions.get(definition).copied();
        let id = id.ok_or_else(|| StoreError::Invalid("a plan lacks the numbers of its definitions".to_owned()))?;
        Ok((id, key.into()))
    }

    /// The user's buckets that hold the row, although the row as it is at the source is not for them.
    pub(super) fn strays(&self, streams: &[StreamFinding]) -> Result<Vec<Stray>, ExplainError> {
        let definitions = &self.places.plan.plan.definitions;
        let mut strays = Vec::new();
        for found in &self.result.buckets {
            let bucket = &found.bucket;
            let evaluators = definitions.get(bucket.definition).map(|definition| definition.evaluators.as_slice());
            let name = self.places.plan.bucket_name(bucket.definition, &bucket.key);
            let tables =
                self.relevant.iter().filter(|relevant| evaluators.unwrap_or_default().contains(&relevant.evaluator));
            let mut tables: Vec<&str> = tables.map(|relevant| relevant.client_table.as_str()).collect();
            tables.sort_unstable();
            tables.dedup();
            if tables.is_empty() || buckets(streams).any(|bucket| bucket.name == name) {
                continue;
            }
            for table in tables {
                let place = self.place(bucket.definition, &bucket.key)?;
                if let Stored::Put { op_id, .. } = self.operations.find(place, (table, self.operations.id), None)? {
                    strays.push(Stray { name: name.clone(), op_id });
                }
            }
        }
        Ok(strays)
    }
}
