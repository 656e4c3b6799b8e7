//! How lines are encoded and compressed, and what browsers need.

use std::io::Write;

use bson::Document;
use flate2::write::GzDecoder;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Lines, Running, now, operations, pairs, put, signed, soon, todos_of};

const BSON: &str = "application/vnd.powersync.bson-stream";
const NDJSON: &str = "application/x-ndjson";

#[tokio::test(flavor = "multi_thread")]
async fn data_are_texts_or_objects_as_the_client_asks() {
    let running = Running::start().await;
    for (raw_data, expected) in [
        (json!(true), json!(r#"{"id":"l1","owner_id":"u1","name":"one"}"#)),
        (json!(false), json!({"id": "l1", "owner_id": "u1", "name": "one"})),
        (Value::Null, json!({"id": "l1", "owner_id": "u1", "name": "one"})),
    ] {
        let response = running.ask("u1", &json!({"raw_data": raw_data})).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], NDJSON);
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let lines = Lines::of(response).checkpoint().await;
        assert_eq!(lines[1]["data"]["data"][0]["data"], expected);
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bson_is_for_clients_that_prefer_it() {
    let running = Running::start().await;
    let ask = |accept: String| running.ask("u1", &json!({})).header("accept", accept).send();
    for accept in ["*/*".to_owned(), format!("{NDJSON}, {BSON};q=0.5")] {
        assert_eq!(ask(accept).await.unwrap().headers()["content-type"], NDJSON);
    }
    let mut response = ask(format!("{BSON};q=0.9, {NDJSON};q=0.8")).await.unwrap();
    assert_eq!(response.headers()["content-type"], BSON);
    let (mut bytes, mut documents) = (Vec::new(), Vec::new());
    while documents.len() < 3 {
        bytes.extend(soon(response.chunk()).await.unwrap().unwrap());
        while let Some(size) = bytes.first_chunk::<4>().map(|size| u32::from_le_bytes(*size) as usize) {
            if bytes.len() < size {
                break;
            }
            let document: Vec<u8> = bytes.drain(..size).collect();
            documents.push(Document::from_reader(&document[..]).unwrap());
        }
    }
    assert!(documents[0].get_document("checkpoint").is_ok(), "{documents:?}");
    let data = documents[1].get_document("data").unwrap().get_array("data").unwrap();
    let put = data[0].as_document().unwrap();
    assert_eq!((put.get_str("op").unwrap(), put.get_str("object_id").unwrap()), ("PUT", "l1"));
    assert_eq!(put.get_str("data").unwrap(), r#"{"id":"l1","owner_id":"u1","name":"one"}"#);
    assert!(documents[2].get_document("checkpoint_complete").is_ok());
    running.service.stop().await;
}

/// Decompresses what has come so far.
enum Decoder {
    Plain(Vec<u8>),
    Gzip(GzDecoder<Vec<u8>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
}

impl Decoder {
    fn of(response: &Response) -> Self {
        match response.headers().get("content-encoding").map(|name| name.to_str().unwrap()) {
            None => Self::Plain(Vec::new()),
            Some("gzip") => Self::Gzip(GzDecoder::new(Vec::new())),
            Some("zstd") => Self::Zstd(Box::new(zstd::stream::write::Decoder::new(Vec::new()).unwrap())),
            Some(other) => panic!("{other}"),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Plain(_) => "",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        }
    }

    /// Takes a chunk, and gives what is readable after it.
    fn add(&mut self, chunk: &[u8]) -> String {
        let text = match self {
            Self::Plain(text) => {
                text.extend(chunk);
                text
            }
            Self::Gzip(decoder) => {
                decoder.write_all(chunk).unwrap();
                decoder.flush().unwrap();
                decoder.get_mut()
            }
            Self::Zstd(decoder) => {
                decoder.write_all(chunk).unwrap();
                decoder.flush().unwrap();
                decoder.get_mut()
            }
        };
        String::from_utf8(text.clone()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_follows_the_weights_of_the_client() {
    let running = Running::start().await;
    for (accept, expected) in [
        ("", ""),
        ("identity", ""),
        ("br", ""),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd, gzip", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0.5, zstd;q=1.0", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=0", ""),
    ] {
        let mut request = running.ask("u1", &json!({}));
        if !accept.is_empty() {
            request = request.header("accept-encoding", accept);
        }
        assert_eq!(Decoder::of(&request.send().await.unwrap()).name(), expected, "{accept}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_line_arrives_before_the_next_one_is_written() {
    let running = Running::start().await;
    for encoding in ["gzip", "zstd"] {
        let request = running.ask("u1", &json!({})).header("accept-encoding", encoding);
        let mut response = request.send().await.unwrap();
        let mut decoder = Decoder::of(&response);
        assert_eq!(decoder.name(), encoding);
        let mut text = String::new();
        for number in 0..5 {
            while text.matches("checkpoint_complete").count() <= number {
                text = decoder.add(&soon(response.chunk()).await.unwrap().unwrap());
            }
            // The next line is written only now.
            put(&running.source, "lists", ["l1", "u1", &format!("{encoding} {number}")]);
        }
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_streams_end_well() {
    let running = Running::start().await;
    let claims = |lifetime: i64| json!({"sub": "u1", "iat": now() - 10, "exp": now() + lifetime});
    for encoding in ["gzip", "zstd", "identity"] {
        let request = running.http.post(running.url("/sync/stream")).body("{}").header("accept-encoding", encoding);
        let token = signed(&claims(-1), b"0123456789abcdef");
        let mut response = request.header("authorization", format!("Token {token}")).send().await.unwrap();
        let (mut decoder, mut text) = (Decoder::of(&response), String::new());
        // The body is asked for more after its end, which must be an end again.
        while let Some(chunk) = soon(response.chunk()).await.unwrap() {
            text = decoder.add(&chunk);
        }
        assert_eq!(text, "{\"token_expires_in\":0}\n", "{encoding}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_ask_from_everywhere() {
    let running = Running::start().await;
    let request = running.http.request("OPTIONS".parse().unwrap(), running.url("/sync/stream"));
    let request = request.header("origin", "https://app.example").header("access-control-request-method", "POST");
    let request = request.header("access-control-request-headers", "authorization,content-type,x-user-agent");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_lowercase();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert!(header("access-control-allow-methods").contains("post"));
    for name in ["authorization", "content-type", "x-user-agent"] {
        assert!(header("access-control-allow-headers").contains(name));
    }
    let response = running.ask("u1", &json!({})).header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    // Errors, too, or scripts could not read them.
    let request = running.http.get(running.url("/nope")).header("origin", "https://app.example");
    assert_eq!(request.send().await.unwrap().headers()["access-control-allow-origin"], "*");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_the_url_are_members_of_the_request() {
    let running = Running::start().await;
    let authorization = format!("Token {}", crate::support::token("u1", 3600));
    let ask = |query: &str, body: String| {
        let url = running.url(&format!("/sync/stream?{query}"));
        running.http.post(url).header("authorization", &authorization).body(body).send()
    };
    let mut lines = Lines::of(ask("client_id=from%20the%20url", todos_of(&["l1"]).to_string()).await.unwrap());
    let got = operations(&lines.checkpoint().await);
    assert_eq!(got, pairs(&[("PUT", "l1"), ("PUT", "t1"), ("PUT", "t2")]));
    assert_eq!(running.status().await["clients"][0]["client_id"], "from the url");
    // An empty body, and a member that is there already.
    assert!(!Lines::of(ask("client_id=x", String::new()).await.unwrap()).checkpoint().await.is_empty());
    let _other = Lines::of(ask("client_id=url", r#"{"client_id":"body"}"#.into()).await.unwrap());
    let clients = running.status().await["clients"].clone();
    assert!(clients.as_array().unwrap().iter().any(|client| client["client_id"] == "body"), "{clients}");
    assert_eq!(ask("raw_data=1", "{}".into()).await.unwrap().status(), 400, "it is a text");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_parameters_keep_their_text_beside_parameters_of_the_url() {
    const CONFIG: &str = "
config: {edition: 3}
streams:
  exact:
    query: SELECT * FROM lists WHERE id = subscription.parameter('id')
";
    let running = Running::with(|options| options.config = CONFIG.into()).await;
    put(&running.source, "lists", ["9007199254740993", "u1", "exact"]);
    let body = r#"{"streams":{"subscriptions":[{"stream":"exact","parameters":{"id":12345678901234567890},"override_priority":null}]}}"#;
    let bucket = async |url: &str| {
        let request = running.http.post(running.url(url)).body(body);
        let request = request.header("authorization", format!("Token {}", crate::support::token("u1", 3600)));
        let line = Lines::of(request.send().await.unwrap()).next().await.unwrap();
        line["checkpoint"]["buckets"][0]["bucket"].clone()
    };
    let without = bucket("/sync/stream").await;
    assert!(without.is_string());
    assert_eq!(bucket("/sync/stream?client_id=c").await, without);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_names_the_program_of_the_client() {
    let running = Running::start().await;
    let long = "x".repeat(300);
    for (name, header, expected) in [
        ("x-user-agent", "sdk/1.2", "sdk/1.2"),
        ("user-agent", "curl/8", "curl/8"),
        ("x-user-agent", &long, &long[..200]),
    ] {
        let request = running.ask("u1", &json!({})).header("user-agent", "other/1").header(name, header);
        let mut request = request.build().unwrap();
        // Once each.
        request.headers_mut().insert(reqwest::header::HeaderName::try_from(name).unwrap(), header.parse().unwrap());
        let _lines = Lines::of(running.http.execute(request).await.unwrap());
        let clients = running.admin("/api/admin/v1/clients").await["clients"].clone();
        assert!(clients.as_array().unwrap().iter().any(|client| client["user_agent"] == expected), "{clients}");
    }
    running.service.stop().await;
}
