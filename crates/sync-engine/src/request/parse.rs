//! From JSON text to a request, one level at a time, so that a mistake is reported with the path of its member and
//! parameters keep their text.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ClientBucket, ClientSubscription, RequestError, RequestProblem, StreamRequest, StreamSelection};

type Parsed<T> = Result<T, RequestError>;

impl StreamRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// The first member that is not as it must be. The service answers with 400 and `PSYNC_S2001`.
    pub fn parse(body: &[u8]) -> Parsed<Self> {
        let body: &RawValue = serde_json::from_slice(body).map_err(|error| RequestError {
            path: String::new(),
            problem: RequestProblem::Syntax(error.to_string()),
        })?;
        let body: Body<'_> = Member { path: String::new(), value: body }.object()?;
        let buckets = body.buckets.map(|value| Member::new("/buckets", value).array(bucket));
        let streams = body.streams.map(|value| selection(&Member::new("/streams", value)));
        Ok(Self {
            buckets: buckets.transpose()?.unwrap_or_default(),
            raw_data: body
                .raw_data
                .map(|value| Member::new("/raw_data", value).boolean())
                .transpose()?
                .unwrap_or_default(),
            parameters: body.parameters.map(|value| Member::new("/parameters", value).object_text()).transpose()?,
            app_metadata: body.app_metadata.map(|value| value.get().into()),
            client_id: body.client_id.map(|value| Member::new("/client_id", value).string()).transpose()?,
            streams: streams.transpose()?.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    buckets: Option<&'a RawValue>,
    raw_data: Option<&'a RawValue>,
    parameters: Option<&'a RawValue>,
    app_metadata: Option<&'a RawValue>,
    client_id: Option<&'a RawValue>,
    streams: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Streams<'a> {
    #[serde(borrow)]
    include_defaults: Option<&'a RawValue>,
    subscriptions: Option<&'a RawValue>,
}

/// Members that are there whether null or not.
#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    parameters: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    override_priority: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
}

fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A value and where it is.
struct Member<'a> {
    path: String,
    value: &'a RawValue,
}

impl<'a> Member<'a> {
    fn new(path: &str, value: &'a RawValue) -> Self {
        Self { path: path.to_owned(), value }
    }

    fn fail<T>(&self, problem: RequestProblem) -> Parsed<T> {
        Err(RequestError { path: self.path.clone(), problem })
    }

    /// A member of this object.
    fn member(&self, name: &'static str, value: Option<&'a RawValue>) -> Parsed<Member<'a>> {
        match value {
            Some(value) => Ok(Member { path: format!("{}/{name}", self.path), value }),
            None => self.fail(RequestProblem::Missing(name)),
        }
    }

    fn read<T: Deserialize<'a>>(&self, expected: &'static str) -> Parsed<T> {
        serde_json::from_str(self.value.get()).or_else(|_| self.fail(RequestProblem::Type(expected)))
    }

    fn object<T: Deserialize<'a>>(&self) -> Parsed<T> {
        // Structures may also be read from arrays, which is not meant here.
        if !self.value.get().starts_with('{') {
            return self.fail(RequestProblem::Type("object"));
        }
        serde_json::from_str(self.value.get()).or_else(|error| self.fail(RequestProblem::Syntax(error.to_string())))
    }

    fn object_text(&self) -> Parsed<Box<str>> {
        if !self.value.get().starts_with('{') {
            return self.fail(RequestProblem::Type("object"));
        }
        Ok(self.value.get().into())
    }

    fn array<T>(&self, item: impl Fn(&Member<'a>) -> Parsed<T>) -> Parsed<Vec<T>> {
        let items: Vec<&'a RawValue> = self.read("array")?;
        items
            .into_iter()
            .enumerate()
            .map(|(at, value)| item(&Member { path: format!("{}/{at}", self.path), value }))
            .collect()
    }

    fn boolean(&self) -> Parsed<bool> {
        self.read("boolean")
    }

    fn string(&self) -> Parsed<Box<str>> {
        self.read("string")
    }

    fn is_null(&self) -> bool {
        self.value.get() == "null"
    }
}

fn bucket(member: &Member<'_>) -> Parsed<ClientBucket> {
    let bucket: Bucket<'_> = member.object()?;
    let name = member.member("name", bucket.name)?.string()?;
    let after = member.member("after", bucket.after)?;
    let text = after.string()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(ClientBucket { name, after: number }),
        _ => after.fail(RequestProblem::Value("a decimal number from 0 to 9223372036854775807")),
    }
}

fn selection(member: &Member<'_>) -> Parsed<StreamSelection> {
    let streams: Streams<'_> = member.object()?;
    let include_defaults = match streams.include_defaults {
        Some(_) => member.member("include_defaults", streams.include_defaults)?.boolean()?,
        None => true,
    };
    let subscriptions = member.member("subscriptions", streams.subscriptions)?.array(subscription)?;
    Ok(StreamSelection { include_defaults, subscriptions })
}

fn subscription(member: &Member<'_>) -> Parsed<ClientSubscription> {
    let subscription: Subscription<'_> = member.object()?;
    let stream = member.member("stream", subscription.stream)?;
    let priority = member.member("override_priority", subscription.override_priority)?;
    // The published service requires only the other two.
    let parameters = match subscription.parameters {
        Some(_) => Some(member.member("parameters", subscription.parameters)?).filter(|value| !value.is_null()),
        None => None,
    };
    Ok(ClientSubscription {
        stream: stream.string()?,
        parameters: parameters.map(|value| value.object_text()).transpose()?,
        override_priority: if priority.is_null() { None } else { Some(whole_priority(&priority)?) },
    })
}

/// A priority. Some clients have only one type of numbers and send `1.0`.
fn whole_priority(member: &Member<'_>) -> Parsed<u8> {
    let number: f64 = member.read("integer")?;
    [0_u8, 1, 2, 3]
        .into_iter()
        .find(|priority| f64::from(*priority) == number)
        .map_or_else(|| member.fail(RequestProblem::Value("an integer from 0 to 3")), Ok)
}
