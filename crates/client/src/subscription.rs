//! Streams that the app subscribes to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::shared::Shared;
use crate::status::StreamStatus;
use crate::sync::Event;

/// How long a subscription lives that nothing uses, if the app does not say.
const TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// A stream to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    name: String,
    parameters: Option<String>,
    ttl: Duration,
    priority: Option<u8>,
}

impl Stream {
    /// A stream of the sync configuration.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: None, ttl: TIME_TO_LIVE, priority: None }
    }

    /// Its parameters, a JSON object. A stream is recognised by this text: write the same parameters always the same way.
    #[must_use]
    pub fn parameters(mut self, json: impl Into<String>) -> Self {
        self.parameters = Some(json.into());
        self
    }

    /// How long its rows are kept when nothing uses it any more. The default is a day.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How urgent it is: 0 is the most urgent, 3 the least. The default is what the sync configuration says.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// What the extension is told.
    fn request(&self, stream: &InUse) -> String {
        #[derive(Serialize)]
        struct Request<'a> {
            subscribe: Subscribe<'a>,
        }
        #[derive(Serialize)]
        struct Subscribe<'a> {
            stream: &'a InUse,
            ttl: u64,
            priority: Option<u8>,
        }
        let subscribe = Subscribe { stream, ttl: self.ttl.as_secs(), priority: self.priority };
        serde_json::to_string(&Request { subscribe }).unwrap_or_default()
    }
}

/// A stream that the app uses now, as the extension reads it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InUse {
    name: String,
    params: Option<Box<RawValue>>,
}

/// The streams that the app uses now.
#[derive(Default)]
pub(crate) struct StreamsInUse(Mutex<Vec<Used>>);

/// A stream with its users.
struct Used {
    stream: InUse,
    users: usize,
    /// What renews it, and when.
    request: String,
    renewed: Instant,
    ttl: Duration,
}

impl StreamsInUse {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|used| used.stream.clone()).collect()
    }

    /// All of them, as JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&self.all()).unwrap_or_default()
    }

    /// What renews those that would otherwise expire soon, while another process syncs.
    pub(crate) fn renewals(&self) -> Vec<String> {
        let now = Instant::now();
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = streams.iter_mut().filter(|used| now.duration_since(used.renewed) > used.ttl / 2);
        due.map(|used| {
            used.renewed = now;
            used.request.clone()
        })
        .collect()
    }

    fn add(&self, stream: InUse, request: String, ttl: Duration) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match streams.iter_mut().find(|used| used.stream.is(&stream)) {
            Some(used) => used.users += 1,
            None => streams.push(Used { stream, users: 1, request, renewed: Instant::now(), ttl }),
        }
    }

    fn remove(&self, stream: &InUse) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = streams.iter().position(|used| used.stream.is(stream))
            && let Some(used) = streams.get_mut(at)
        {
            used.users -= 1;
            if used.users == 0 {
                streams.swap_remove(at);
            }
        }
    }
}

impl InUse {
    fn of(stream: &Stream) -> Result<Self, Error> {
        let params = stream.parameters.as_deref().map(|json| {
            let parsed: Result<Box<RawValue>, _> = serde_json::from_str(json);
            parsed.map_err(|error| Error::Json {
                what: format!("the parameters of stream {}", stream.name),
                wanted: "an object",
                reason: error.to_string(),
            })
        });
        Ok(Self { name: stream.name.clone(), params: params.transpose()? })
    }

    fn parameters(&self) -> Option<&str> {
        self.params.as_deref().map(RawValue::get)
    }

    fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.parameters() == other.parameters()
    }
}

/// A subscription. It lasts until this is dropped, and then for its time to live.
#[must_use = "a subscription that is dropped expires"]
pub struct Subscription {
    shared: Arc<Shared>,
    stream: InUse,
}

impl Subscription {
    /// Stores a subscription, and has the stream opened again with it.
    pub(crate) fn begin(shared: &Arc<Shared>, stream: &Stream) -> Result<Self, Error> {
        let in_use = InUse::of(stream)?;
        let request = stream.request(&in_use);
        let stored = shared.database.subscribe(request.clone());
        stored.map_err(|failure| Error::database("cannot subscribe", &failure))?;
        shared.streams.add(in_use.clone(), request, stream.ttl);
        shared.tell(Event::Subscriptions);
        Ok(Self { shared: Arc::clone(shared), stream: in_use })
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.stream.name
    }

    /// The text of its parameters.
    pub fn parameters(&self) -> Option<&str> {
        self.stream.parameters()
    }

    /// How far it is: none before the extension has reported it.
    pub fn status(&self) -> Option<StreamStatus> {
        self.shared.status.current().0.stream(self.name(), self.parameters()).cloned()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.streams.remove(&self.stream);
        self.shared.tell(Event::Subscriptions);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, parameters) = (self.name(), self.parameters());
        formatter
            .debug_struct("Subscription")
            .field("name", &name)
            .field("parameters", &parameters)
            .finish_non_exhaustive()
    }
}
