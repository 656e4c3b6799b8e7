//! Uploads: what is written offline, refused, tried again, and written by others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use rowtide_client::{Batch, BoxError, FailedOperation, OperationKind, Refusal, TransactionResult, Upload, WritePath};
use rusqlite::Connection;

use crate::support::{Device, Service, TODOS, impatient, text};

#[test]
fn two_clients_and_the_source_converge() {
    let service = Service::start();
    let phone = service.client("phone.db", "alice").synced();
    let laptop = service.client("laptop.db", "alice").synced();
    phone.client.disconnect();
    phone.write("UPDATE todos SET done = 1 WHERE id = 'todo-1'");
    phone.write(
        "BEGIN;
         INSERT INTO lists (id, name) VALUES ('new', 'New');
         INSERT INTO todos (id, list_id, description, done) VALUES ('new-1', 'new', 'One', 0), ('new-2', 'new', 'Two', 0);
         COMMIT",
    );
    laptop.write("UPDATE todos SET description = 'Beans' WHERE id = 'todo-3'; DELETE FROM todos WHERE id = 'todo-2'");
    laptop.wait(|_| text(&service.source(), "SELECT count(*) FROM todos WHERE id = 'todo-2'") == "0");
    assert_eq!(phone.text("SELECT count(*) FROM ps_crud"), "4");

    phone.client.connect();
    let expected = "todo-1:Bread:1, todo-3:Beans:0, todo-4:Book the train:1, todo-5:Find the swimming things:0";
    let expected = format!("new-1:One:0, new-2:Two:0, {expected}");
    for device in [&phone, &laptop] {
        device.wait_for(TODOS, &expected);
        device.wait_for("SELECT powersync_diagnose() ->> '$.gate.open'", "1");
        assert_eq!(device.client.status().upload_error, None);
    }
    let source = text(&service.source(), &TODOS.replace("FROM todos", "FROM todos WHERE list_id <> 'list-garden'"));
    assert_eq!(source, expected);
    assert_eq!(text(&service.source(), "SELECT owner_id FROM lists WHERE id = 'new'"), "alice");
}

#[test]
fn downloads_wait_behind_writes_that_nobody_uploads() {
    let service = Service::start();
    let url = service.url();
    let token = service.dev().token("alice").unwrap();
    let options = rowtide_client::Options::new(service.file("a.db"), url)
        .schema(crate::support::SCHEMA)
        .token(move || Ok(token.clone()))
        .timing(impatient());
    let device = Device::open(options);
    device.write("INSERT INTO lists (id, name) VALUES ('mine', 'Mine')");
    device.client.connect();
    let status = device.wait(|status| status.waits_for_upload && status.queued == 1);
    assert_eq!((status.checkpoints, status.uploading), (0, false));
    assert_eq!(device.text("SELECT group_concat(id) FROM lists"), "mine");
}

#[test]
fn refused_writes_go_to_the_rejected_ones_and_the_rest_goes_on() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    device.client.disconnect();
    // Somebody else's list, and then something that is allowed.
    device.write("INSERT INTO todos (id, list_id, description, done) VALUES ('bad', 'list-garden', 'Weeds', 0)");
    device.write("UPDATE todos SET done = 1 WHERE id = 'todo-1'");
    device.client.connect();
    let status = device.wait(|status| status.queued == 0 && status.rejected == 1);
    assert_eq!(status.upload_error, None);
    device.wait_for("SELECT count(*) FROM todos WHERE id = 'bad'", "0");
    assert_eq!(
        device.text("SELECT type || ' ' || id || ' ' || code FROM powersync_rejected"),
        "todos bad UNAUTHORIZED"
    );
    assert_eq!(text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'"), "1");
}

/// What a backend says of a batch.
type Answers = Vec<Result<Vec<TransactionResult>, String>>;

/// A backend that says what the test wants it to say, and remembers what it was asked.
#[derive(Clone, Default)]
struct Backend {
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Backend {
    fn new(mut answers: Answers) -> Self {
        answers.reverse();
        Self { asked: Arc::default(), answers: Arc::new(Mutex::new(answers)) }
    }
}

impl Upload for Backend {
    fn upload(&self, batch: &Batch) -> Result<Vec<TransactionResult>, BoxError> {
        let names = batch.transactions.iter().map(|one| one.operations[0].id.clone()).collect();
        self.asked.lock().unwrap().push(names);
        match self.answers.lock().unwrap().pop() {
            Some(answer) => Ok(answer?),
            None => Ok(vec![TransactionResult::Success; batch.transactions.len()]),
        }
    }
}

fn three_writes(device: &Device) {
    for id in ["a", "b", "c"] {
        device.write(&format!("INSERT INTO lists (id, name) VALUES ('{id}', 'x')"));
    }
}

#[test]
fn what_the_backend_says_decides_what_is_uploaded_when() {
    let service = Service::start();
    let later = |message: Option<&str>, retry_after_ms| TransactionResult::RetryableError {
        message: message.map(str::to_owned),
        retry_after_ms,
    };
    let backend = Backend::new(vec![
        Err("the backend is on holiday".into()),
        Ok(vec![TransactionResult::Success]),
        Ok(vec![later(Some("busy"), None), TransactionResult::NotAttempted, TransactionResult::NotAttempted]),
        Ok(vec![TransactionResult::Success, later(Some("soon"), Some(1)), TransactionResult::NotAttempted]),
    ]);
    let device = Device::open(service.options("a.db", "alice").upload(backend.clone()));
    three_writes(&device);
    let watching = {
        let statuses = device.client.statuses();
        std::thread::spawn(move || statuses.filter_map(|status| status.upload_error.clone()).collect::<Vec<_>>())
    };
    device.client.connect();
    device.wait(|status| status.queued == 0 && status.checkpoints > 0);
    assert_eq!(device.client.status().upload_error, None);
    let asked = backend.asked.lock().unwrap().clone();
    let [abc, bc] = [["a", "b", "c"].as_slice(), &["b", "c"]]
        .map(|ids| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>());
    assert_eq!(asked, [abc.clone(), abc.clone(), abc.clone(), abc, bc]);
    device.client.close().unwrap();
    let errors = watching.join().unwrap();
    for expected in ["the backend is on holiday", "the upload gave 1 results for 3 transactions", "busy", "soon"] {
        assert!(errors.iter().any(|error| error == expected), "{expected}: {errors:?}");
    }
}

#[test]
fn a_transaction_that_the_app_has_to_decide_about_blocks_the_queue_until_it_does() {
    let service = Service::start();
    let refusal = Refusal {
        requires_client_handling: true,
        message: None,
        failed_operation: FailedOperation {
            error_code: "CONFLICT".into(),
            message: Some("changed meanwhile".into()),
            ..FailedOperation::default()
        },
    };
    let not_attempted = TransactionResult::NotAttempted;
    let backend =
        Backend::new(vec![Ok(vec![TransactionResult::FatalError(refusal), not_attempted.clone(), not_attempted])]);
    let device = Device::open(service.options("a.db", "alice").upload(backend));
    three_writes(&device);
    device.client.connect();
    let status = device.wait(|status| status.blocked_by.is_some());
    let blocked = status.blocked_by.clone().unwrap();
    assert_eq!((blocked.error_code.as_str(), blocked.message.as_deref()), ("CONFLICT", Some("changed meanwhile")));
    assert_eq!(status.queued, 3);
    // The app gives it up.
    let reject = "BEGIN IMMEDIATE; SELECT powersync_crud_reject(CAST('ID' AS INTEGER), 'GIVEN_UP', NULL); COMMIT";
    device.write(&reject.replace("ID", &blocked.transaction_id));
    device.wait(|status| status.blocked_by.is_none() && status.queued == 0);
}

#[test]
fn a_batch_says_what_was_written() {
    let service = Service::start();
    let (sent, batches) = mpsc::channel();
    let url = service.url();
    let upload = move |batch: &Batch| -> Result<Vec<TransactionResult>, BoxError> {
        let _ = sent.send((batch.to_json(), batch.transactions.clone(), batch.token()?));
        WritePath::new(&url).upload(batch)
    };
    let device = Device::open(service.options("a.db", "alice").upload(upload)).synced();
    device.write("BEGIN; UPDATE todos SET done = 1 WHERE id = 'todo-1'; DELETE FROM todos WHERE id = 'todo-2'; COMMIT");
    let (json, transactions, token) = batches.recv().unwrap();
    assert_eq!(token.split('.').count(), 3, "the one that it syncs with");
    let [transaction] = transactions.as_slice() else { panic!("{transactions:?}") };
    let kinds: Vec<_> =
        transaction.operations.iter().map(|one| (one.kind, one.table.as_str(), one.id.as_str())).collect();
    assert_eq!(kinds, [(OperationKind::Patch, "todos", "todo-1"), (OperationKind::Delete, "todos", "todo-2")]);
    assert_eq!(transaction.operations[0].data.as_ref().unwrap()["done"], 1);
    assert!(json.contains(r#""op_data":{"done":1}"#) && json.contains(r#""queue":""#), "{json}");
    device.wait(|status| status.queued == 0);
}

#[test]
fn an_upload_whose_answer_is_lost_counts_once() {
    let service = Service::start();
    // A source that shows how often the row was written.
    let log = "CREATE TABLE log (id TEXT);
        CREATE TRIGGER log AFTER UPDATE ON todos BEGIN INSERT INTO log VALUES (NEW.id); END";
    service.source().execute_batch(log).unwrap();
    let url = service.url();
    let lost = AtomicBool::new(false);
    let upload = move |batch: &Batch| -> Result<Vec<TransactionResult>, BoxError> {
        let results = WritePath::new(&url).upload(batch)?;
        if lost.swap(true, Ordering::SeqCst) { Ok(results) } else { Err("the answer was lost".into()) }
    };
    let device = Device::open(service.options("a.db", "alice").upload(upload)).synced();
    device.write("UPDATE todos SET done = 1 WHERE id = 'todo-1'");
    device.wait_for("SELECT count(*) FROM ps_crud", "0");
    assert_eq!(text(&service.source(), "SELECT count(*) FROM log"), "1");
}

#[test]
fn an_upload_goes_on_while_the_app_disconnects_and_its_results_count() {
    let service = Service::start();
    let calls = Arc::new(AtomicUsize::new(0));
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let counted = Arc::clone(&calls);
    let upload = move |batch: &Batch| -> Result<Vec<TransactionResult>, BoxError> {
        counted.fetch_add(1, Ordering::SeqCst);
        started.send(()).unwrap();
        released.lock().unwrap().recv()?;
        Ok(vec![TransactionResult::Success; batch.transactions.len()])
    };
    let device = Device::open(service.options("a.db", "alice").upload(upload)).synced();
    device.write("INSERT INTO lists (id, name) VALUES ('a', 'x')");
    starts.recv().unwrap();
    device.client.disconnect();
    let status = device.client.status();
    assert!(!status.connected && status.uploading);
    // Nobody else uploads meanwhile, and neither does this client once more.
    device.client.connect();
    let other = service.client("a.db", "alice");
    other.client.connect();
    other.wait(|status| status.waits_for_lock);
    device.wait(|status| status.connected);
    device.client.disconnect();
    release.send(()).unwrap();
    device.wait(|status| !status.uploading);
    assert_eq!(device.text("SELECT count(*) FROM ps_crud"), "0");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    other.wait(|status| !status.waits_for_lock);
}

#[test]
fn closing_does_not_wait_for_an_upload_for_ever() {
    let service = Service::start();
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let upload = move |batch: &Batch| -> Result<Vec<TransactionResult>, BoxError> {
        started.send(())?;
        released.lock().unwrap().recv()?;
        Ok(vec![TransactionResult::Success; batch.transactions.len()])
    };
    let mut timing = impatient();
    timing.upload_grace = std::time::Duration::ZERO;
    let device = Device::open(service.options("a.db", "alice").upload(upload).timing(timing)).synced();
    device.write("INSERT INTO lists (id, name) VALUES ('a', 'x')");
    starts.recv().unwrap();
    device.client.close().unwrap();
    drop(release);
    let device = service.client("a.db", "alice");
    assert_eq!(device.client.status().queued, 1, "it is kept");
    device.client.connect();
    device.wait(|status| status.queued == 0 && status.checkpoints > 0);
    assert_eq!(text(&service.source(), "SELECT name FROM lists WHERE id = 'a'"), "x");
}

#[test]
fn writes_of_connections_of_the_client_are_uploaded_at_once() {
    let service = Service::start();
    let mut timing = impatient();
    timing.poll = std::time::Duration::from_secs(3600);
    let device = Device::open(service.options("alice.db", "alice").timing(timing)).synced();
    for done in ["1", "0"] {
        device.write("BEGIN; UPDATE todos SET done = 5 WHERE id = 'todo-1'; ROLLBACK");
        device.write(&format!("UPDATE todos SET done = {done} WHERE id = 'todo-1'"));
        device.wait(|_| text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'") == done);
    }
}

#[test]
fn a_connection_may_be_closed_within_a_transaction() {
    let service = Service::start();
    let device = service.client("a.db", "alice").synced();
    let app = device.client.connection().unwrap();
    app.execute_batch("BEGIN; INSERT INTO lists (id, name) VALUES ('a', 'x')").unwrap();
    drop(app);
    device.write("INSERT INTO lists (id, name) VALUES ('b', 'x')");
    device.wait_for("SELECT group_concat(id) FROM lists WHERE id IN ('a', 'b')", "b");
}

#[test]
fn writes_of_connections_that_the_client_does_not_know_are_uploaded() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    let other = Connection::open(service.file("alice.db")).unwrap();
    other.busy_timeout(crate::support::PATIENCE).unwrap();
    other.execute("UPDATE todos SET done = 1 WHERE id = 'todo-1'", ()).unwrap();
    device.wait(|_| text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'") == "1");
}

#[test]
fn an_upload_that_was_not_acknowledged_before_a_crash_is_acknowledged_now() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    device.client.close().unwrap();
    // As after a crash between the upload and its acknowledgement: the queue is empty, and the gate is closed.
    device.write("UPDATE todos SET done = 1 WHERE id = 'todo-1'; DELETE FROM ps_crud");
    service.source().execute("DELETE FROM todos WHERE id = 'todo-2'", ()).unwrap();
    let device = service.client("alice.db", "alice").synced();
    assert_eq!(device.text("SELECT count(*) FROM todos"), "4");
    assert_eq!(device.text("SELECT done FROM todos WHERE id = 'todo-1'"), "0", "what the service has");
}
